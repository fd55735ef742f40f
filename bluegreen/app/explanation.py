"""The arithmetic of a verdict, as numbers: of the watch that runs, or as it was when the deployment left the watch.

The last one is kept with the deployment, so that it can be asked for long after.
"""

from collections.abc import Mapping

import msgspec

from bluegreen.app import fallback
from bluegreen.app.requests import Explanation, KeyLine, LimitLine, RouteLine, SignalLine
from bluegreen.app.run import Run
from bluegreen.app.trial import Trial
from bluegreen.domain.evidence import Evidence, Verdict
from bluegreen.domain.limits import LimitReading
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json

FACT = "judgement"
"""Where the last explanation stands among a deployment's facts."""

JUDGED = frozenset({Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY})
"""Phases that end with a judgement."""

MOST_ODDS = 1e300
"""Above this nobody reads a number, and JSON has none for it."""

ROUTES = 5
"""Routes of one signal that are told, worst first."""


def explanation(run: Run) -> Explanation | None:
    """How the verdict stands now, or which one it was that sends users back; None where nothing is on trial."""
    deployment, trial = run.deployment, run.watch.trial
    judgement = run.convicted or run.watch.judge(deployment.plan.terms)
    if judgement is None or trial is None:
        return None
    fell_back = fallback.found(run)
    return Explanation(
        deployment=deployment.id,
        release=deployment.plan.release.version,
        phase=deployment.phase,
        at=run.world.clock.now(),
        current=True,
        verdict=Verdict.REGRESSED if fell_back else judgement.verdict,
        reason=fell_back or "; ".join(judgement.reasons),
        watched=judgement.t_s,
        odds=min(judgement.odds, MOST_ODDS),
        odds_needed=judgement.odds_needed,
        min_bad=deployment.plan.terms.min_bad,
        signals=tuple(_signal(evidence, trial) for evidence in judgement.signals),
        limits=tuple(_limit(limit) for limit in judgement.limits),
        silent=judgement.silent,
        way_back=str(run.watch.standby),
        held=run.held,
        paused=run.pause.reason,
        troubles=tuple(judgement.troubles.values()),
        dry=tuple(_signal(evidence, trial) for evidence in judgement.dry),
        side_by_side=trial.side_by_side,
    )


def last_judgement(run: Run) -> Mapping[str, Json]:
    """The fact that is kept when a phase ends that had a judgement; nothing where there was none."""
    found = explanation(run) if run.deployment.phase in JUDGED else None
    if found is None:
        return {}
    kept: Json = msgspec.to_builtins(found)
    return {FACT: {**kept, "current": False}}


def _signal(evidence: Evidence, trial: Trial) -> SignalLine:
    bad = [part for part in trial.breakdown.parts(evidence.signal) if part.bad][:ROUTES]
    return SignalLine(
        signal=evidence.signal,
        n=evidence.n,
        bad=evidence.bad,
        rate=evidence.rate,
        tolerated=evidence.tolerated,
        odds=min(evidence.odds, MOST_ODDS),
        more_bad=0 if evidence.convicts else trial.more_bad_to_cut(evidence.signal),
        missing=evidence.missing,
        critical=evidence.critical,
        label=evidence.label,
        state=evidence.state,
        dry_run=evidence.dry_run,
        synthetic=evidence.synthetic,
        source=evidence.source,
        trouble=evidence.trouble,
        usual=evidence.p,
        history=evidence.history_n,
        decides=evidence.decides,
        phi=evidence.phi,
        share=evidence.share,
        made_up=evidence.made_up,
        keys=_keys(evidence),
        routes=tuple(RouteLine(part.service, part.route, part.n, part.bad, part.line) for part in bad),
        where=evidence.where or trial.where(evidence.signal),
    )


def _keys(evidence: Evidence) -> tuple[KeyLine, ...]:
    return tuple(
        KeyLine(
            key.key, key.turns, None if key.value is None else min(key.value, MOST_ODDS), key.needed, key.describe()
        )
        for key in evidence.keys
    )


def _limit(limit: LimitReading) -> LimitLine:
    return LimitLine(
        limit.name,
        limit.value,
        limit.limit,
        limit.samples,
        limit.broken,
        signal=limit.signal,
        text=limit.describe(),
        dry_run=limit.dry_run,
        window=limit.window_s,
        min_samples=limit.min_samples,
        run=limit.run,
        in_a_row=limit.in_a_row,
    )
