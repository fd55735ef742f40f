"""What a restart must do: a saved deployment, what is open in the journal and what the balancer serves go in,
one decision comes out. An intent without an outcome is unknown; it is settled by looking, never by assuming.
"""

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import Intent
from bluegreen.domain.traffic import Colour, Split, Traffic


class Resume(StrEnum):
    """What to do with the saved phase."""

    RUN_AGAIN = "run-again"
    """Run the phase's step from its top: every step is "ensure"."""
    PROVE = "prove"
    """The switch took effect: go on with its proof."""
    FAIL = "fail"
    """The phase failed while we were away."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision, and for people why."""

    resume: Resume
    reason: str
    cause: Cause | None = None


SWITCH, SPLIT = "switch", "split"
"""The actions that move users forward: all of them, or a share."""

END_FALLBACK = "end_fallback"
"""The action that leaves the new colour alone, without the old one as its fallback inside the balancer."""

READS_TRAFFIC = frozenset({Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY})
"""Phases whose resumption depends on what the balancer serves: the caller must read it first."""


def resume(deployment: Deployment, switch: Intent | None, traffic: Traffic | None) -> Decision:
    """Decide how a deployment goes on after a restart.

    `switch` is the last intent to move traffic forward (SWITCH or SPLIT), open or concluded, None without one;
    `traffic` is what the balancer serves now, needed for the phases in READS_TRAFFIC.
    """
    if deployment.phase in (Phase.CANARYING, Phase.SWITCHING):
        if switch is not None and switch.action == SPLIT:
            return _while_shared(deployment, switch, _known(traffic))
        return _while_switching(deployment, switch, _known(traffic))
    if deployment.phase in (Phase.WATCHING, Phase.STANDING_BY):
        return _while_watching(deployment, switch, _known(traffic))
    return Decision(Resume.RUN_AGAIN, f"{deployment.phase} is run again: its step converges")


def _known(traffic: Traffic | None) -> Traffic:
    if traffic is None:
        raise ValueError("this phase cannot be resumed without having read the balancer")
    return traffic


def _while_switching(deployment: Deployment, switch: Intent | None, traffic: Traffic) -> Decision:
    if switch is None:
        if traffic.colour is deployment.old and not deployment.moved:
            return Decision(Resume.RUN_AGAIN, "nothing was written yet and the old colour serves")
        return _fail(Cause.MOVED_OUTSIDE, f"before the switch was tried, traffic was elsewhere: {traffic.describe()}")
    on_new = traffic.colour is deployment.new
    if switch.outcome is None:
        if on_new and traffic.generation == switch.detail.get("generation"):
            return Decision(Resume.PROVE, "the switch had taken effect before the restart")
        return _fail(Cause.RESTARTED, "daemon restarted during the switch")
    if on_new and switch.outcome is Outcome.DONE:
        return Decision(Resume.PROVE, "the switch was done before the restart")
    return _fail(Cause.RESTARTED, f"daemon restarted during the switch, and now {traffic.describe()}")


def split_of(intent: Intent) -> Split:
    """How users were to be shared out by this intent."""
    return Split(Colour(intent.detail["to"]), float(intent.detail["share"]))


def _while_shared(deployment: Deployment, split: Intent, traffic: Traffic) -> Decision:
    """Users meet both colours, or were about to: the last share stands as it was meant to, or they go back."""
    stands = traffic.split == split_of(split)
    ours = int(split.detail["generation"])
    if split.outcome is None:
        if stands and traffic.generation == ours and deployment.phase is Phase.CANARYING:
            return Decision(Resume.PROVE, "the share had taken effect before the restart")
        return _fail(Cause.RESTARTED, "daemon restarted while users were being shared out")
    if split.outcome is not Outcome.DONE:
        return _fail(Cause.RESTARTED, f"daemon restarted after a share was refused, and now {traffic.describe()}")
    if stands:
        return Decision(Resume.RUN_AGAIN, "the share stands as it was: it goes on")
    return _elsewhere(deployment, ours, traffic)


def _while_watching(deployment: Deployment, switch: Intent | None, traffic: Traffic) -> Decision:
    """Only bluegreen writes generations: a later one on the old colour is a way back whose reason was not saved."""
    if traffic.colour is deployment.new:
        return Decision(Resume.RUN_AGAIN, "the new colour serves: the watch goes on")
    return _elsewhere(deployment, int(switch.detail.get("generation", 0)) if switch is not None else 0, traffic)


def _elsewhere(deployment: Deployment, written: int, traffic: Traffic) -> Decision:
    """Users are not where they were sent under the generation `written`."""
    if traffic.colour is deployment.old and written < (traffic.generation or 0):
        reason = f"users had been sent back (generation {traffic.generation}); why was lost with the daemon that did it"
        return _fail(Cause.SENT_BACK, reason)
    return _fail(Cause.MOVED_OUTSIDE, f"while the daemon was down, traffic was moved: {traffic.describe()}")


def _fail(cause: Cause, reason: str) -> Decision:
    return Decision(Resume.FAIL, reason, cause)
