"""Which files belong to a release: up to the last one that it names, of every phase; what comes later is not read."""

from pathlib import Path

import pytest

from bluegreen.adapters.migrations.files import list_directory, up_to
from bluegreen.domain.errors import ReleaseInvalid
from bluegreen.domain.plans import Release

NAMES = ("0001_a.expand.sql", "0002_b.expand.sql", "0002_b.contract.sql", "0010_c.expand.sql")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).write_text("SELECT 1;\n" if name < "0010" else "this is not finished")
    return tmp_path


@pytest.mark.parametrize(
    ("migrations", "expected"),
    [({}, NAMES), ({"other": "0001_a"}, NAMES), ({"app": "0002_b"}, NAMES[:3]), ({"app": "0001_a"}, NAMES[:1])],
)
def test_files_up_to_the_last_one_of_the_release(
    directory: Path, migrations: dict[str, str], expected: tuple[str, ...]
) -> None:
    found = up_to(list_directory(directory), Release("1.1.0", migrations=migrations), "app")
    assert {file.path.name for file in found} == set(expected)


@pytest.mark.parametrize("there", [True, False])
def test_a_last_one_that_does_not_exist_is_refused(directory: Path, there: bool) -> None:
    release = Release("1.1.0", file="/r/1.1.0.toml", migrations={"app": "0003_x"})
    with pytest.raises(ReleaseInvalid, match="app ends with 0003_x, and there is no such file") as refused:
        up_to(list_directory(directory) if there else (), release, "app")
    assert refused.value.next == ("$EDITOR /r/1.1.0.toml", "bluegreen migrate status")
