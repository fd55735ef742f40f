"""kill -9 in a backfill at any question to the server: no row is missed or repeated, and the same call goes on."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bluegreen.domain.backfills import BackfillState
from tests.adapters.migrations import killed_filling
from tests.adapters.migrations.fills import EVERY_ROW_ONCE, fill, users
from tests.adapters.sites import Site, until_true

pytestmark = pytest.mark.real

SETTINGS_KEY_AND_BEGIN = 3
COMMITS = 7
"""The first commit's number: settings, first key, then begin, boundary, change, cursor, commit."""

POINTS = [
    *((number, "before") for number in range(1, 7)),
    *((number, "during") for number in range(SETTINGS_KEY_AND_BEGIN, COMMITS)),
    *((number, "after") for number in (5, 6, 7, 12)),
    *((number, "during") for number in (COMMITS, COMMITS + 5)),
]
ROWS = 12_000
GONE = (
    "SELECT count(*) = 0 FROM pg_stat_activity"
    " WHERE application_name LIKE 'bluegreen%' AND datname = current_database()"
)


async def _die(site: Site, number: int, moment: str) -> None:
    root = Path(killed_filling.__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", killed_filling.__name__, site.dsn, str(site.home), str(site.bin_dir)),
        *(str(number), moment),
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert await process.wait() == -9, f"it was not killed {moment} question {number}"


async def test_killed_at_any_question_and_between_commit_and_its_answer_no_row_is_missed_or_repeated(
    site: Site,
) -> None:
    await users(site, ROWS)
    moved = []
    for number, moment in POINTS:
        await _die(site, number, moment)
        await until_true(site, GONE)
        filled = await site.value("SELECT count(*) FROM users WHERE n > 0")
        if (number, moment) != (1, "before"):
            (kept,) = await site.database().backfills()
            assert (kept.state, kept.rows_done) == (BackfillState.INTERRUPTED, filled), f"{moment} {number}"
        moved.append(filled)
        assert await site.value("SELECT max(n) FROM users") <= 1
    assert 0 < moved[-1] < ROWS
    assert len(set(moved)) > 3, f"several of them died in a batch of their own: {moved}"
    done = await fill(site)
    assert (done.state, done.rows_done) == (BackfillState.DONE, ROWS)
    assert await site.value(EVERY_ROW_ONCE) == 0
