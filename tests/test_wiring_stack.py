"""What the wiring makes of [variables] and of the colours' files."""

from pathlib import Path

import pytest

from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import DIFFER, SAME, SECRETS
from bluegreen.settings import load
from bluegreen.wiring import open_world
from tests.settings.conftest import SMALLEST

BLUE, GREEN = Colour


def written(directory: Path, text: str) -> Path:
    file = directory / "bluegreen.toml"
    file.write_text(text)
    file.chmod(0o640)
    return file


async def test_the_files_of_a_colour_are_read_and_the_keys_of_the_section_are_added(tmp_path: Path) -> None:
    (tmp_path / "common.env").write_text("A=1\nB=1\n")
    (tmp_path / "green.env").write_text("B=2\n")
    (tmp_path / "1.1.0.example").write_text("A=\nC=\n")
    text = SMALLEST.replace("[environments.green]\n", '[environments.green]\nenv_files = ["common.env", "green.env"]\n')
    section = 'example = "{release}.example"\nsame = ["SEAL"]\ndiffer = ["URL"]\nignore = ["X_*"]\nmissing = "refuse"\n'
    state = tmp_path / "state"
    state.mkdir()
    async with open_world(load(written(tmp_path, f"{text}\n[variables]\n{section}")), state) as world:
        assert world.variables is not None
        assert world.papers is not None
        found = await world.variables.of(GREEN, Release("1.1.0", {"D": "x"}))
        assert await world.variables.of(BLUE) is None
        rules, papers = world.variables.rules, await world.papers.read(Release("1.1.0"))
    assert found is not None
    assert found.keys() == {"A", "B", "D"}
    assert found["A"] != found["B"]
    assert papers.example == "A=\nC=\n"
    assert (rules.secrets, rules.same, rules.differ) == (SECRETS, (*SAME, "SEAL"), (*DIFFER, "URL"))
    assert (rules.ignore, rules.refuse_missing) == (("X_*",), True)
    assert (state / "variables.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("there", [True, False])
async def test_compose_without_any_file_has_the_env_of_its_directory(tmp_path: Path, there: bool) -> None:
    place = tmp_path / "stack"
    place.mkdir()
    (place / "compose.yaml").write_text("services: {}\n")
    if there:
        (place / ".env").write_text("A=1\n")
    before, _, rest = SMALLEST.partition("[environments.green]\n")
    _, found, after = rest.partition("\n[")
    green = f'[environments.green]\nrunner = "compose"\ndirectory = "{place}"\ncompose.files = ["compose.yaml"]\n'
    async with open_world(load(written(tmp_path, f"{before}{green}{found}{after}")), tmp_path) as world:
        assert world.variables is not None
        given = await world.variables.of(GREEN)
    assert (set(given) if given is not None else None) == ({"A"} if there else None)
