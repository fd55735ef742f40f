"""What stands now, as numbers: read off the running parts for whoever measures us. Changes nothing, waits for nothing
but the journal, and says so where the journal does not answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bluegreen.app.engine import Engine
from bluegreen.app.picture import troubles
from bluegreen.app.reconcile import Reconciler
from bluegreen.domain.budget import Connections
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import JournalFailed, RouteAmbiguous, RouteNotFound
from bluegreen.domain.evidence import Judgement
from bluegreen.domain.phases import WATCHED, Phase
from bluegreen.domain.records import Json
from bluegreen.domain.running import Running
from bluegreen.domain.traffic import Colour

JOURNAL_BUDGET = 1.0
"""Seconds for the journal: a disk that hangs must be told before whoever asks has given up."""

ANSWERED = frozenset({RouteNotFound.code, RouteAmbiguous.code})
"""What is wrong where Caddy answers, and sends users nobody knows where."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The numbers of one moment. `live` None: neither colour, or nobody knows. `wanted` None: nothing was ever
    switched. `phase` of the running deployment, else "". `sources`: seconds since the last sign of life (None before
    the first) and whether it can be heard; `log_lines`: lines read of each colour's own log, those that matched, and
    those that warn of what is deprecated; `undelivered`, `undeliverable` by receiver; `journal_read`: whether
    `wanted` and `stranded` could be had; `standby`: whether the old colour could take users back, "" where there is no
    way back to keep; `open_requests` and `connections` as in `requests.Status`;
    `running`: what really runs of the colours, as of the last looks."""

    started_at: datetime
    live: Colour | None
    caddy_answers: bool
    wanted: Colour | None
    drift: bool
    paused: bool
    ready: bool
    journal_read: bool
    journal_writable: bool
    stranded: bool
    phase: str
    elapsed: float
    held: bool
    judgement: Judgement | None
    counted: Mapping[tuple[str, Colour], tuple[int, int]]
    sources: Mapping[str, tuple[float | None, bool]]
    undelivered: Mapping[str, int] = field(default_factory=dict)
    undeliverable: Mapping[str, int] = field(default_factory=dict)
    log_lines: Mapping[Colour, tuple[int, int, int]] = field(default_factory=dict)
    standby: str = ""
    open_requests: Mapping[Colour, int] = field(default_factory=dict)
    connections: Mapping[str, Connections | None] = field(default_factory=dict)
    running: Mapping[Colour, Running] = field(default_factory=dict)


async def measure(engine: Engine, reconciler: Reconciler, started_at: datetime) -> Gauges:
    """The numbers of now. Never raises for what is out of order: that is what the numbers are for."""
    wanted, latest, read = await _kept(engine)
    run, traffic = engine.run, reconciler.traffic
    live = traffic.colour if traffic is not None else None
    answers = not reconciler.error or reconciler.code in ANSWERED
    deployment = run.deployment if run is not None else None
    stranded = _stranded(deployment or latest)
    return Gauges(
        started_at=started_at,
        live=live,
        caddy_answers=answers,
        wanted=wanted,
        drift=run is None and answers and not stranded and wanted not in (None, live),
        paused=engine.pause.active(),
        ready=not troubles(engine, reconciler),
        journal_read=read,
        journal_writable=not engine.news.unwritten,
        stranded=stranded,
        phase=deployment.phase if deployment is not None else "",
        elapsed=run.elapsed if run is not None else 0.0,
        held=run is not None and bool(run.held),
        judgement=engine.watch.judge(run.deployment.plan.terms) if run is not None else None,
        counted=engine.watch.counted,
        sources=_sources(engine),
        undelivered=engine.outbox.undelivered(),
        undeliverable=engine.outbox.undeliverable,
        log_lines=engine.world.overhearing.lines,
        open_requests=run.open_requests if run is not None else {},
        connections=engine.world.room.look(engine.world.clock.monotonic()).by_database,
        running=dict(engine.world.what_runs),
        standby=str(engine.watch.standby) if deployment is not None and deployment.phase in WATCHED else "",
    )


async def _kept(engine: Engine) -> tuple[Colour | None, Deployment | None, bool]:
    journal = engine.world.journal
    try:
        async with asyncio.timeout(JOURNAL_BUDGET):
            wanted: Json = await journal.fact("wanted", "colour")
            latest = await journal.deployments(1)
    except (JournalFailed, TimeoutError):
        return None, None, False
    return Colour(wanted) if wanted else None, latest[0] if latest else None, True


def _stranded(deployment: Deployment | None) -> bool:
    return deployment is not None and deployment.phase is Phase.STRANDED and deployment.blocks_others


def _sources(engine: Engine) -> Mapping[str, tuple[float | None, bool]]:
    now = engine.world.clock.monotonic()
    return {
        source.name: (None if source.heard_at is None else now - source.heard_at, not source.problem)
        for source in engine.world.sources
    }
