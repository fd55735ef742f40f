"""Before a deployment: does the live colour answer as the release that it is to run?"""

import pytest

from bluegreen.domain.phases import Phase
from tests.app.daemons import running
from tests.app.outside import Outside
from tests.domain.examples import BLUE


async def _warnings(outside: Outside) -> list[str]:
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE, ended.reason
    return [warning for warning in ended.warnings if "answers as" in warning]


@pytest.mark.parametrize("says", ["", "1.0.0"], ids=["nothing", "what it is"])
async def test_a_live_colour_that_says_what_it_is_or_nothing_is_fine(outside: Outside, says: str) -> None:
    outside.front_door.versions[BLUE] = says
    assert await _warnings(outside) == []


async def test_one_that_says_something_else_is_told_of_with_both_reasons(outside: Outside) -> None:
    outside.front_door.versions[BLUE] = "v1.0.0"
    first, *_ = await _warnings(outside)
    assert "answers as v1.0.0, and blue is to run 1.0.0: another process answers; or [[services]] version" in first
