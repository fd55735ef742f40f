"""RELEASE is a name: of a file in a directory, or a bare version. Nothing in it can lead anywhere else."""

from hashlib import sha256
from pathlib import Path

import pytest

from bluegreen.domain.errors import ReleaseInvalid
from bluegreen.domain.plans import Release
from bluegreen.settings import read_release

WELL = 'version = "1.2.0"\n[variables]\nAPP_IMAGE = "registry.example.org/app:1.2.0"\n'


def refusal(directory: Path | None, name: str) -> ReleaseInvalid:
    with pytest.raises(ReleaseInvalid) as caught:
        read_release(directory, name)
    return caught.value


def test_without_a_directory_a_release_is_a_bare_version() -> None:
    assert read_release(None, "1.2.0-rc.1") == Release("1.2.0-rc.1")


def test_a_release_file_gives_version_variables_and_the_digest_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "1.2.0.toml"
    file.write_text(WELL)
    release = read_release(tmp_path, "1.2.0")
    assert release == Release(
        version="1.2.0",
        variables={"APP_IMAGE": "registry.example.org/app:1.2.0"},
        digest=sha256(file.read_bytes()).hexdigest(),
        file=str(file),
    )


def test_any_change_of_the_file_changes_the_digest(tmp_path: Path) -> None:
    file = tmp_path / "1.2.0.toml"
    file.write_text(WELL)
    before = read_release(tmp_path, "1.2.0").digest
    file.write_text(f"{WELL}# only a comment\n")
    assert read_release(tmp_path, "1.2.0").digest != before


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../1.2.0", "a/b", "/etc/passwd", "-rf", ".hidden", "a b", "a\nb", "1.2.0\n", "a\x00b", "a;b",
        "$(x)", "\u00e4", "x" * 65, "\x1b[2J", "\uff11.2",
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_directory", [True, False])
def test_a_name_that_could_be_a_path_an_option_or_more_is_refused(
    tmp_path: Path, name: str, with_directory: bool
) -> None:
    error = refusal(tmp_path if with_directory else None, name)
    assert "is not the name of a release: use 1 to 64 letters, digits, _ . or -" in error.detail
    assert error.detail.isprintable()
    assert error.next == ("bluegreen plan 1.2.0",)


def test_a_release_that_does_not_exist_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "1.2.0.toml").write_text(WELL)
    error = refusal(tmp_path, "1.2.1")
    assert str(error) == (
        f'There is no release "1.2.1": {tmp_path}/1.2.1.toml does not exist. The latest there: 1.2.0.'
    )
    assert error.next == ("bluegreen plan 1.2.0",)


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_without_releases_is_said_to_have_none(tmp_path: Path, there: bool) -> None:
    directory = tmp_path if there else tmp_path / "nowhere"
    error = refusal(directory, "1.2.0")
    assert str(error).endswith("There is no release file at all.")
    assert error.next == (f"ls {directory}",)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            'versoin = "1.2.0"',
            [
                'version: is missing, for example version = "1.2.0".',
                ':1: versoin: unknown key "versoin"; did you mean "version"?',
            ],
        ),
        (
            'version = "1.1.0"',
            [':1: version: "1.1.0" is not "1.2.0", the name of the file: was it copied?'],
        ),
        ('version = "../x"', [':1: version: "../x" is not a name: use 1 to 64']),
        ('version = "1.2.0"\n[variables]\nREPLICAS = 3', [":3: variables.REPLICAS: 3 is not text, for example"]),
        ('version = "1.2.0"\n[variables]\nPATH = "/x"', [':3: variables.PATH: "PATH" is set by the host']),
        (
            'version = "1.2.0"\n[variables]\nLD_PRELOAD = "/x"',
            [':3: variables.LD_PRELOAD: "LD_PRELOAD" is not a variable that a release may set: use A-Z 0-9 _'],
        ),
        (
            'version = "1.2.0"\n[variables]\nlower = "/x"',
            [':3: variables.lower: "lower" is not a variable that a release'],
        ),
        ('version = "1.2.0"\n[variables]\nA = "a\\u0000b"', [":3: variables.A: holds a NUL character"]),
        (
            'version = "1.2.0"\n[image]\nweb = "x"',
            [':2: image: unknown key "image"; did you mean "images"?'],
        ),
        ("version = 1.2.0", [":1: is not TOML: "]),
    ],
)
def test_a_release_file_that_is_wrong_says_where(tmp_path: Path, content: str, expected: list[str]) -> None:
    file = tmp_path / "1.2.0.toml"
    file.write_text(content)
    error = refusal(tmp_path, "1.2.0")
    assert error.facts["file"] == str(file)
    assert error.next == (f"$EDITOR {file}", "bluegreen plan 1.2.0")
    for text in expected:
        assert text in str(error)


def test_a_release_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.2.0.toml").mkdir()
    assert str(refusal(tmp_path, "1.2.0")) == f"{tmp_path}/1.2.0.toml: is not a regular file"


def test_a_release_larger_than_a_megabyte_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.2.0.toml").write_text("#" * 2_000_000)
    assert str(refusal(tmp_path, "1.2.0")).endswith("is larger than 1048576 bytes")


# --- what belongs to a release

DIGEST = f"sha256:{'0' * 64}"
WHOLE = f"""
version = "1.2.0"
changelog = "../CHANGELOG.md"
env_example = "1.2.0.env.example"
[images]
web = "registry.example.org:5000/app:1.2.0"
db = "pg@{DIGEST}"
[components]
identity = "26.2.0"
[migrations]
app = "0007_email.expand.sql"
other = "0003_x"
"""


def test_a_release_file_says_what_runs_what_was_tested_and_what_belongs_to_it(tmp_path: Path) -> None:
    directory = tmp_path / "releases"
    directory.mkdir()
    (directory / "1.2.0.toml").write_text(WHOLE)
    release = read_release(directory, "1.2.0")
    assert release.images == {"web": "registry.example.org:5000/app:1.2.0", "db": f"pg@{DIGEST}"}
    assert release.components == {"identity": "26.2.0"}
    assert release.migrations == {"app": "0007_email", "other": "0003_x"}
    assert release.changelog == str(tmp_path / "CHANGELOG.md")  # relative to the release file
    assert release.env_example == str(directory / "1.2.0.env.example")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('images = { web = "app" }', '2: images.web: "app" names no tag, and so whatever was pushed last'),
        ('images = { web = "reg:5000/app" }', '2: images.web: "reg:5000/app" names no tag'),
        ('images = { web = "app:latest" }', '2: images.web: "app:latest" is whatever was pushed last: write the tag'),
        ('images = { web = "app:1@sha256:00" }', '2: images.web: "app:1@sha256:00" is not an image: write NAME:TAG'),
        ('images = { web = "https://x/app:1" }', "2: images.web: "),
        ('images = { "-x" = "app:1" }', "2: images.-x: "),
        ('migrations = { app = "7_email" }', '2: migrations.app: "7_email" is not a migration: write its number'),
        ('components = { web = "a\\nb" }', "2: components.web: "),
        ('changelog = ""', "2: changelog: "),
    ],
)
def test_what_is_never_right_in_a_release_is_refused_with_its_line(tmp_path: Path, line: str, expected: str) -> None:
    (tmp_path / "1.2.0.toml").write_text(f'version = "1.2.0"\n{line}\n')
    error = refusal(tmp_path, "1.2.0")
    assert f"{tmp_path}/1.2.0.toml:{expected}" in str(error)
    assert str(error).isprintable()
