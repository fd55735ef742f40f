"""kill -9 at every point of a change in three phases: the same call again ends it, nothing is missed or done twice."""

from pathlib import Path

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from tests import thorough
from tests.adapters.migrations import story
from tests.adapters.migrations.nursery import NEVER, nursery

pytestmark = pytest.mark.real

PARTS = 4
"""The points are shared out to that many tests."""

EACH = 1 if thorough.ALL else 8
"""Every eighth point is enough each time."""

AT_LEAST = 60


@pytest.mark.timeout(300)  # a minute of work, and more where the machine is busy
@pytest.mark.parametrize("part", range(PARTS))
async def test_killed_at_any_point_the_same_call_again_brings_it_to_the_same_end(
    postgres: EmbeddedPostgres, tmp_path: Path, part: int
) -> None:
    async with nursery(postgres, tmp_path, story.BEFORE) as daemons:
        async with daemons.site() as site:
            story.write(site)
            code, passed = await daemons.daemon(site, NEVER)
            assert code == 0
            end = await site.value(story.END)
        assert len(passed) >= AT_LEAST
        for point in range(0, len(passed), EACH)[part::PARTS]:
            async with daemons.site() as site:
                story.write(site)
                code, _ = await daemons.daemon(site, point)
                assert code == -9, f"{passed[point]}: ended with {code}"
                assert await site.value(story.HALF), f"half a transaction was seen, {passed[point]}"
                await story.tell(site)
                assert await site.value(story.END) == end, f"killed when it had {passed[point]}"
