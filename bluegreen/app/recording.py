"""Writes the samples of a trial down beside the evidence.

Order matters: first the chunks, then the trial with the number of the next one. Killed in between, the next daemon goes
on from the trial as it was kept, reads again what came after it, and writes it under the same numbers: nothing counts
twice. What no source can give twice (our own probes) is missing for the last seconds.
"""

from bluegreen.app.recorder import Recorder
from bluegreen.app.run import Run
from bluegreen.domain.errors import JournalFailed
from bluegreen.ports import Journal

KIND = "samples"
"""Under which the journal keeps them, by deployment."""

DEPLOYMENTS = 20
"""Deployments whose samples are kept, the latest; some megabytes each."""

ALL = 1 << 62

AT_ONCE = 20
"""Deployments beyond those whose samples are forgotten at a time."""


async def keep_evidence(run: Run) -> None:
    """Keep the trial, where the sources stand, and the samples until now. Raises JournalUnwritable: then the next call
    writes all of it."""
    recorder = run.watch.samples
    recorder.cut()
    evidence = run.watch.to_json()  # of this very moment: no sample comes between
    await _append(run.world.journal, run.deployment.id, recorder)
    await run.world.journal.keep("watch", run.deployment.id, evidence)
    await run.update()


async def keep_last(run: Run) -> None:
    """Keep what was recorded until the trial ended, and forget the samples of deployments long past."""
    try:
        run.watch.samples.cut()
        await _append(run.world.journal, run.deployment.id, run.watch.samples)
        latest = await run.world.journal.deployments(DEPLOYMENTS + AT_ONCE)
        for old in latest[DEPLOYMENTS:]:
            await run.world.journal.shorten(KIND, old.id, ALL)
    except JournalFailed as exc:
        run.news.failed(exc)


async def _append(journal: Journal, id: str, recorder: Recorder) -> None:
    if 0 in recorder.pending:  # it begins: what an earlier life left is of another trial
        await journal.shorten(KIND, id, ALL)
    for number, rows in sorted(recorder.pending.items()):
        await journal.append(KIND, id, number, rows)
        recorder.kept(number)
