"""What RELEASE means: a release file by its name, or a bare version.

A release file may leave out everything but its version. What is never right (an image that nobody pinned) is refused
here, with its line; what the configuration wants beyond that, when the release is planned. The name goes into argv and
into the path of the file, so it holds no separators and cannot be an option or a way up.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from bluegreen.domain.errors import ReleaseInvalid
from bluegreen.domain.pins import never_pinned
from bluegreen.domain.plans import Release
from bluegreen.processes import INHERITED
from bluegreen.settings.documents import Document, Unreadable, read_document
from bluegreen.settings.places import nearest
from bluegreen.settings.problems import Problem, Reading
from bluegreen.settings.section import Section, Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import NAME, FilePath, Name, relative_to

SUFFIX = ".toml"
VARIABLE = re.compile(r"(?!LD_)[A-Z_][A-Z0-9_]*")
"""What steers the dynamic loader (ld.so(8)) is not a release's business."""

MIGRATION = re.compile(r"(\d{4,}_[A-Za-z0-9][A-Za-z0-9_-]*)(?:\.(?:expand|backfill|contract)\.sql)?")
"""A migration, by its number and name or by the name of one of its files."""

LONGEST = 512
"""Characters of an image reference: a name of 255, a tag of 128, a digest."""

FEW = 5


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character, which no program can be given")
    return value


def _for_a_command(name: str) -> str:
    if not VARIABLE.fullmatch(name):
        raise ValueError(f"{quoted(name)} is not a variable that a release may set: use A-Z 0-9 _, and nothing of LD_*")
    if name in INHERITED:
        raise ValueError(f"{quoted(name)} is set by the host, and no release may change it")
    return name


def _pinned(image: str) -> str:
    why = never_pinned(image) if len(image) <= LONGEST else "is longer than any image is called"
    if why:
        raise ValueError(f"{quoted(image)} {why}")
    return image


def _migration(name: str) -> str:
    found = MIGRATION.fullmatch(name)
    if found is None:
        raise ValueError(f'{quoted(name)} is not a migration: write its number and name, for example "0007_email"')
    return found[1]


def _one_line(text: str) -> str:
    if not text or len(text) > 64 or not text.isprintable():
        raise ValueError(f"{quoted(text)} is not a version: write 1 to 64 characters on one line")
    return text


ImageReference = Annotated[str, AfterValidator(_pinned), Shape("image", "registry.example.org/app:1.2.0")]
MigrationName = Annotated[str, AfterValidator(_migration), Shape("migration", "0007_email")]
ComponentVersion = Annotated[str, AfterValidator(_one_line), Shape("version", "26.2.0")]
ReleaseVariable = Annotated[str, AfterValidator(_for_a_command), Shape("variable name", "APP_IMAGE")]
VariableValue = Annotated[str, AfterValidator(_without_nul), Shape("text", "text")]


class ReleaseFile(Section):
    """A release: one version, and what the commands of a colour need to bring it up."""

    version: Name = Field(
        description="The version that goes live: passed to the commands as {release}, expected by smoke checks, and "
        "the name of this file without .toml.",
        examples=["1.2.0"],
    )
    variables: dict[ReleaseVariable, VariableValue] = Field(
        default={},
        description="Environment variables for the colour's `up` command, over those of [environments.<colour>]; "
        "capitals, and none that the host sets (PATH, HOME, ...). Kept in the journal and shown in plans: no secrets.",
        examples=[{"APP_IMAGE": "registry.example.org/app:1.2.0"}],
    )
    images: dict[Name, ImageReference] = Field(
        default={},
        description="The image of each part (a compose service), pinned by tag or digest: these run, whatever the "
        "compose file says. One without a tag, or with `latest`, is refused.",
        examples=[{"web": "registry.example.org/app:1.2.0"}],
    )
    components: dict[Name, ComponentVersion] = Field(
        default={},
        description="The versions that were tested together, by name: shown in plans, each change of one too. The tag "
        "of an image of the same name is held against it.",
        examples=[{"identity": "26.2.0"}],
    )
    migrations: dict[Name, MigrationName] = Field(
        default={},
        description="The last migration of a [[migrations]] source of SQL files that belongs to this release; later "
        "ones stay pending. A source that is not named here: all its files.",
        examples=[{"app": "0007_email"}],
    )
    changelog: FilePath | None = Field(
        default=None,
        description="The changelog, instead of that of [release] changelog; relative to this file.",
        examples=["../CHANGELOG.md"],
    )
    env_example: FilePath | None = Field(
        default=None,
        description="The example of the variables (`.env.example`) that this release comes with; relative to this "
        "file. The variables of both colours are compared with it.",
        examples=["1.2.0.env.example"],
    )


def read_release(directory: Path | None, name: str) -> Release:
    """The release of this name: from <directory>/<name>.toml, or a bare version where there is no directory.

    Raises ReleaseInvalid, which says what to type instead. `digest` is the SHA-256 of the file's bytes.
    """
    if not NAME.fullmatch(name):
        raise ReleaseInvalid(
            f"{quoted(name)} is not the name of a release: "
            "use 1 to 64 letters, digits, _ . or -, beginning with a letter, a digit or _.",
            next=("bluegreen plan 1.2.0",),
            release=name,
        )
    if directory is None:
        return Release(name)
    document = _read(directory, name)
    release = _checked(document, name)
    return Release(
        version=release.version,
        variables=release.variables,
        digest=sha256(document.content).hexdigest(),
        file=str(document.file),
        images=release.images,
        components=release.components,
        migrations=release.migrations,
        changelog=str(release.changelog or ""),
        env_example=str(release.env_example or ""),
    )


def _read(directory: Path, name: str) -> Document:
    file = directory / f"{name}{SUFFIX}"
    try:
        return read_document(file)
    except FileNotFoundError as exc:
        raise _absent(directory, name) from exc
    except Unreadable as exc:
        raise _invalid(file, name, [exc.problem]) from exc


def _checked(document: Document, name: str) -> ReleaseFile:
    try:
        with relative_to(document.file.parent):
            release = ReleaseFile.model_validate(document.data)
    except ValidationError as exc:
        problems = Reading(ReleaseFile, document.file, document.places).explain(exc)
        raise _invalid(document.file, name, problems) from exc
    if release.version != name:
        line = document.places.line(("version",))
        text = f'"{release.version}" is not "{name}", the name of the file: was it copied?'
        raise _invalid(document.file, name, [Problem(str(document.file), line, "version", text)])
    return release


def _absent(directory: Path, name: str) -> ReleaseInvalid:
    names = _names(directory)
    meant = nearest(name, names)
    latest = ", ".join(names[:FEW])
    there = f"The latest there: {latest}." if names else "There is no release file at all."
    return ReleaseInvalid(
        f'There is no release "{name}": {directory}/{name}{SUFFIX} does not exist. {there}',
        next=(f"bluegreen plan {meant}" if meant else f"ls {directory}",),
        release=name,
    )


def _names(directory: Path) -> list[str]:
    """The releases of a directory, the youngest file first; none where it cannot be read."""
    try:
        files = [file for file in directory.iterdir() if file.suffix == SUFFIX]
        files.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [file.stem for file in files]


def _invalid(file: Path, name: str, problems: list[Problem]) -> ReleaseInvalid:
    lines = [str(problem) for problem in problems]
    detail = lines[0] if len(lines) == 1 else "\n  ".join([f"{file} has {len(lines)} problems:", *lines])
    return ReleaseInvalid(
        detail,
        next=(f"$EDITOR {file}", f"bluegreen plan {name}"),
        release=name,
        file=str(file),
        problems=[problem.as_json() for problem in problems],
    )
