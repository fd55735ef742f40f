"""A release's images reach the commands of a colour as variables."""

from pathlib import Path

from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour


async def test_each_image_is_a_variable_of_up_and_a_variable_of_the_release_comes_over_it(tmp_path: Path) -> None:
    runner = CommandRunner(Colour.GREEN, ["sh", "-c", 'echo "$KRATOS_WEB_IMAGE $DB_IMAGE"'], ["true"], timeout=10.0)
    release = Release("1.1.0", {"DB_IMAGE": "own:1"}, images={"kratos-web": "web:1.1.0", "db": "pg:16"})
    assert (await runner.up(release)).strip() == "web:1.1.0 own:1"
