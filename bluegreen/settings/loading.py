"""Reads the configuration: file, environment and credentials into settings, or everything that is wrong with them."""

import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings.credentials import confidential
from bluegreen.settings.documents import Document, Unreadable, read_document
from bluegreen.settings.environment import gives, misplaced, variable
from bluegreen.settings.manual import manual_page
from bluegreen.settings.model import Settings
from bluegreen.settings.places import nearest
from bluegreen.settings.problems import Problem, Reading
from bluegreen.settings.section import keys
from bluegreen.settings.values import relative_to

EXAMPLE = "config/bluegreen.example.toml"


def load(path: Path) -> Settings:
    """The settings in a file, with BLUEGREEN_* variables over it and credentials read.

    Raises ConfigurationError with the facts `file` and `problems`: all of them, each with file, line, key and text.
    """
    document = _read(path)
    problems = [Problem(str(path), None, "", text, f"variable {name}") for name, text in misplaced(Settings).items()]
    problems += _option_like_keys(document)
    try:
        with relative_to(path.resolve().parent):
            settings = Settings(**{key: value for key, value in document.data.items() if not key.startswith("_")})
    except ValidationError as exc:
        reading = Reading(Settings, path, document.places, variable, gives)
        raise _failed(path, problems + reading.explain(exc)) from exc
    if problems:
        raise _failed(path, problems)
    return settings.loaded(path, tuple(_warnings(settings, document)))


def _read(path: Path) -> Document:
    try:
        return read_document(path)
    except FileNotFoundError as exc:
        raise ConfigurationError(
            f"There is no configuration at {path}.",
            next=(f"install -D -m 0640 {EXAMPLE} {path}", "bluegreen config docs"),
            file=str(path),
            problems=[],
        ) from exc
    except Unreadable as exc:
        raise _failed(path, [exc.problem]) from exc


def _option_like_keys(document: Document) -> list[Problem]:
    """pydantic-settings takes `_env_file` and the like for options of its own; in a file they are unknown keys."""
    known = keys(Settings)
    return [
        Problem(
            str(document.file), document.places.line((key,)), key, f'unknown key "{key}"' + _hint(nearest(key, known))
        )
        for key in document.data
        if key.startswith("_")
    ]


def _hint(meant: str | None) -> str:
    return f'; did you mean "{meant}"?' if meant else ""


def _failed(path: Path, problems: list[Problem]) -> ConfigurationError:
    lines = [str(problem) for problem in problems]
    detail = lines[0] if len(lines) == 1 else "\n  ".join([f"{path} has {len(lines)} problems:", *lines])
    page = next(filter(None, (manual_page(problem.key) for problem in problems)), "")
    return ConfigurationError(
        detail,
        next=(f"bluegreen config docs {page}".rstrip(), f"bluegreen config check --config {path}"),
        file=str(path),
        problems=[problem.as_json() for problem in problems],
    )


def _warnings(settings: Settings, document: Document) -> Iterator[str]:
    if settings.caddy.remote:
        yield (
            f"caddy.admin is {settings.caddy.admin}, on another machine, without authentication: "
            "whoever reaches it can change where users go; better an ssh-forwarded Unix socket"
        )
    if not stat.S_IMODE(document.file.stat().st_mode) & stat.S_IROTH:
        return
    for path, secret in confidential(settings).items():
        if secret.credential is None and path in document.places:
            key = ".".join(part for part in path if isinstance(part, str))
            yield (
                f"{document.file}:{document.places.line(path)}: {key} holds a secret, and every user of this machine "
                f'can read the file: chmod o-r {document.file}, or write {{ credential = "NAME" }}'
            )
