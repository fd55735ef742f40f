"""The arithmetic of a verdict, as numbers: of the watch that runs, or as it was when the deployment left the watch.

The last one is kept with the deployment, so that it can be asked for long after.
"""

from collections.abc import Mapping

import msgspec

from bluegreen.app.requests import Explanation, LimitLine, SignalLine
from bluegreen.app.run import Run
from bluegreen.domain.evidence import Evidence
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json

FACT = "judgement"
"""Where the last explanation stands among a deployment's facts."""

JUDGED = frozenset({Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY})
"""Phases that end with a judgement."""


def explanation(run: Run) -> Explanation | None:
    """How the verdict stands now; None where nothing is on trial."""
    deployment, trial = run.deployment, run.watch.trial
    judgement = run.watch.judge(deployment.plan.terms)
    if judgement is None or trial is None:
        return None
    return Explanation(
        deployment=deployment.id,
        release=deployment.plan.release.version,
        phase=deployment.phase,
        at=run.world.clock.now(),
        current=True,
        verdict=judgement.verdict,
        reason="; ".join(judgement.reasons),
        watched=judgement.t_s,
        odds=judgement.odds,
        odds_needed=judgement.odds_needed,
        min_bad=deployment.plan.terms.min_bad,
        signals=tuple(_signal(evidence, trial.more_bad_to_cut(evidence.signal)) for evidence in judgement.signals),
        limits=tuple(
            LimitLine(limit.name, limit.value, limit.limit, limit.samples, limit.broken) for limit in judgement.limits
        ),
        silent=judgement.silent,
        way_back=str(run.watch.standby),
        held=run.held,
        paused=run.pause.reason,
    )


def last_judgement(run: Run) -> Mapping[str, Json]:
    """The fact that is kept when a phase ends that had a judgement; nothing where there was none."""
    found = explanation(run) if run.deployment.phase in JUDGED else None
    if found is None:
        return {}
    kept: Json = msgspec.to_builtins(found)
    return {FACT: {**kept, "current": False}}


def _signal(evidence: Evidence, more_bad: int | None) -> SignalLine:
    return SignalLine(
        signal=evidence.signal,
        n=evidence.n,
        bad=evidence.bad,
        rate=evidence.rate,
        tolerated=evidence.tolerated,
        odds=min(evidence.odds, 1e300),
        more_bad=more_bad,
        missing=evidence.missing,
        critical=evidence.critical,
    )
