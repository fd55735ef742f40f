"""kill -9 in a restore, at each of its steps: one of both databases is in service, and the same order ends it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.backups import restoring
from tests.adapters.backups.test_restorations import TABLE, clear, databases
from tests.adapters.sites import Site

pytestmark = pytest.mark.real

MOMENTS = (
    "kept stopping",
    "kept keeping",
    "before keep_present",
    "before dump",
    "after dump",
    "after keep_present",
    "kept keeping",
    "kept restoring",
    "before restore_beside",
    "before create",
    "after create",
    "before restore_whole",
    "after restore_whole",
    "after restore_beside",
    "kept swapping",
    "before swap",
    "before rename",
    "between the renames",
    "both renamed, not committed",
    "after rename",
    "after swap",
    "kept starting",
)
"""All there are, in order: the story itself says so in the last test."""

KILLED_AT = (1, 3, 5, 8, 11, 13, 15, 18, 19, 20, 22)


@pytest.fixture
async def filled(site: Site) -> AsyncIterator[Site]:
    await site.execute(TABLE)
    yield site
    await clear(site)


async def _order(site: Site, backup: str, point: int) -> tuple[int | None, list[str]]:
    """How the process ended, and what it said."""
    root = Path(restoring.__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", restoring.__name__, site.dsn, str(site.home), str(site.bin_dir), backup, str(point)),
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    said = [line.removeprefix("moment: ") for line in output.decode().splitlines() if line.startswith("moment: ")]
    return process.returncode, said


@pytest.mark.parametrize("point", KILLED_AT, ids=lambda point: f"{point} {MOMENTS[point - 1]}")
async def test_killed_at_any_step_one_of_both_is_in_service_and_the_same_order_ends_it(
    point: int, filled: Site
) -> None:
    backup = await filled.database().back_up("d1", "1.1.0")
    await filled.execute("UPDATE t SET a = 'broken'; INSERT INTO t (a) VALUES ('lost')")
    code, said = await _order(filled, backup.id, point)
    assert (code, said[-1]) == (-9, MOMENTS[point - 1])
    swapped = point > MOMENTS.index("both renamed, not committed") + 1
    assert await filled.value("SELECT count(*) FROM t") == (2 if swapped else 3), "in service, and whole"
    code, said = await _order(filled, backup.id, 0)
    assert code == 0, said
    assert said[-1].endswith("blue 1.0.0")
    assert await filled.value("SELECT string_agg(a, ',' ORDER BY id) FROM t") == "one,two"
    left = await databases(filled)
    assert len(left) == 2, left
    assert left[1].startswith("_broken_")


async def test_these_are_all_the_moments(filled: Site) -> None:
    backup = await filled.database().back_up("d1", "1.1.0")
    code, said = await _order(filled, backup.id, 0)
    assert (code, tuple(said[:-1])) == (0, MOMENTS)
