"""What a restart must do: a saved deployment, what is open in the journal and what the balancer serves go in,
one decision comes out. An intent without an outcome is unknown; it is settled by looking, never by assuming.
"""

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import Intent
from bluegreen.domain.traffic import Traffic


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


READS_TRAFFIC = frozenset({Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY})
"""Phases whose resumption depends on what the balancer serves: the caller must read it first."""


def resume(deployment: Deployment, switch: Intent | None, traffic: Traffic | None) -> Decision:
    """Decide how a deployment goes on after a restart.

    `switch` is the last intent to move traffic forward, open or concluded, None where none was written;
    `traffic` is what the balancer serves now, needed for the phases in READS_TRAFFIC.
    """
    if deployment.phase in (Phase.CANARYING, Phase.SWITCHING):
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


def _while_watching(deployment: Deployment, switch: Intent | None, traffic: Traffic) -> Decision:
    """Only bluegreen writes generations: a later one on the old colour is a way back whose reason was not saved."""
    if traffic.colour is deployment.new:
        return Decision(Resume.RUN_AGAIN, "the new colour serves: the watch goes on")
    switched = int(switch.detail.get("generation", 0)) if switch is not None else 0
    if traffic.colour is deployment.old and switched < (traffic.generation or 0):
        reason = f"users had been sent back (generation {traffic.generation}); why was lost with the daemon that did it"
        return _fail(Cause.SENT_BACK, reason)
    return _fail(Cause.MOVED_OUTSIDE, f"while the daemon was down, traffic was moved: {traffic.describe()}")


def _fail(cause: Cause, reason: str) -> Decision:
    return Decision(Resume.FAIL, reason, cause)
