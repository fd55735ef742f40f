"""The journal's file after 1,000 deployments (I8): it stops growing, but for the audit."""

from pathlib import Path

import pytest

from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import AuditRow, Event, Fact, Intent
from tests.domain.examples import deployment
from tests.virtual_time import EPOCH

MANY = 1_000
KEPT = 20


@pytest.mark.timeout(300)
async def test_the_state_file_stops_growing(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    await journal.open()
    sizes = []
    for number in range(MANY):
        id = f"d-{number:04}"
        events = [Event("command.finished", EPOCH, id, "STARTING", {"output": "x" * 4_000}) for _ in range(10)]
        await journal.save(
            deployment(Phase.LIVE, id=id),
            *events,
            Intent(f"i-{number}", id, Phase.SWITCHING, "switch", {}, EPOCH),
            AuditRow(EPOCH, "uid 0 (root)", "socket", "deploy", id, "", "", ""),
            Fact("ended", id, "LIVE"),
            Fact("plan", f"p-{number}", {"plan": "x" * 2_000}),
            Fact("alert", f"a-{number}", {"effect": "recorded", "reason": ""}),
            Fact("idempotency", f"k-{number}", {"deployment": id, "request": {}}),
            Fact("notice", f"{id}:14:LIVE", {"waiting": []}),
        )
        await journal.prune(KEPT)
        sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
    await journal.close()
    print(f"state after {MANY // 2}: {sizes[MANY // 2]:,} bytes, after {MANY}: {sizes[-1]:,}")
    per_deployment = 400  # the audit's row, and small facts that are kept longer
    assert sizes[-1] - sizes[MANY // 2] < MANY // 2 * per_deployment + 1_000_000
    assert sizes[-1] < 10_000_000
