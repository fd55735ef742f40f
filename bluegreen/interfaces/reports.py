"""Deployments as lines for people: where they stand, how they ended, what to type next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bluegreen.app.overhearing import in_words
from bluegreen.domain.aftermath import finding_of
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import BEFORE_SWITCH, Phase
from bluegreen.domain.plans import Kind, Plan
from bluegreen.interfaces import text
from bluegreen.interfaces.running_lines import ran_lines
from bluegreen.interfaces.text import cleaned, commands, duration, mark, paragraph, remark, strong

OUTCOMES = {
    Phase.LIVE: text.DONE,
    Phase.ABANDONED: text.STOPPED,
    Phase.REVERTED: text.FAILED,
    Phase.STRANDED: text.FAILED,
}

WAY_BACK = (Phase.ABANDONED, Phase.REVERTED)

WHY_COLUMN = 42
"""Characters of a reason that the history shows."""


def title(deployment: Deployment, now: datetime) -> str:
    """The first line of a deployment that is followed."""
    shown = cleaned(deployment)
    return f"{shown.id}: {strong(what(shown.plan))}, begun {text.ago(shown.created_at, now)}"


def started_lines(deployment: Deployment) -> list[str]:
    """A deployment was started and nobody stays to watch it."""
    shown = cleaned(deployment)
    first = f"{mark(text.RUNNING)} {shown.id} started: {what(shown.plan)}"
    return [first, *commands((f"bluegreen watch {shown.id}", f"bluegreen abort {shown.id}"))]


def promoted_lines(deployment: Deployment, *, full: bool = False) -> list[str]:
    """The gate is passed; with `full`, what the phase waited for."""
    shown = cleaned(deployment)
    first = f"{mark(text.DONE)} {shown.id} is promoted: users go to {version(shown)} on {shown.new}"
    if full and shown.phase in (Phase.WATCHING, Phase.STANDING_BY):
        kept = "the old colour is kept" if shown.phase is Phase.WATCHING else f"{shown.old} is being stopped"
        first = f"{mark(text.DONE)} {shown.phase} of {shown.id} is over: {kept}"
    elif shown.phase is Phase.CANARYING and shown.plan.terms.canary:
        first = f"{mark(text.DONE)} the canary of {shown.id} is over: all users go to {version(shown)} on {shown.new}"
    elif shown.phase is not Phase.AWAITING:
        first = f"{text.NOTHING} {shown.id} was promoted already; it is in {shown.phase}"
    return [first, *commands((f"bluegreen watch {shown.id}", "bluegreen cutback"))]


def resolved_lines(deployment: Deployment) -> list[str]:
    """A STRANDED deployment is settled."""
    return [
        f"{mark(text.DONE)} {text.clean(deployment.id)} is settled: what Caddy serves now is what is wanted",
        *commands(("bluegreen status",)),
    ]


def serving_lines(deployment: Deployment, seconds_left: float | None, now: datetime) -> list[str]:
    """The new release serves; until when the way back is instant, where it still is."""
    shown = cleaned(deployment)
    first = f"{mark(text.DONE)} {strong(version(shown))} serves all users on {shown.new}"
    if shown.phase is not Phase.STANDING_BY:
        return [
            first,
            f"  {shown.old} is being stopped: the way back is a rollback.",
            *commands(("bluegreen rollback",)),
        ]
    left = seconds_left if seconds_left is not None else max(0.0, shown.plan.terms.standby - shown.elapsed)
    end = text.until(now + timedelta(seconds=left), now)
    kept = f"  {shown.old} is kept running until {end} ({duration(left)}): until then the way back is instant."
    return [first, kept, *commands(("bluegreen cutback",))]


def outcome_lines(deployment: Deployment, *, asked: bool = False) -> list[str]:
    """How a deployment ended, where users are, why, and what to type. `asked`: to go back was what somebody wanted."""
    deployment = cleaned(deployment)
    glyph = text.DONE if asked and deployment.phase in WAY_BACK else OUTCOMES[deployment.phase]
    if deployment.phase is Phase.LIVE and deployment.reason:
        glyph = text.WARNING
    took = (
        f" ({duration((deployment.ended_at - deployment.created_at).total_seconds())})" if deployment.ended_at else ""
    )
    first = f"{mark(glyph)} {strong(deployment.phase)}: {_end(deployment)}{took}"
    return [first, *why(deployment), *noted(deployment), *commands(_after(deployment))]


def _end(deployment: Deployment) -> str:
    release = version(deployment)
    if deployment.phase is Phase.LIVE:
        return f"{release} is live on {deployment.new}"
    if deployment.phase is Phase.STRANDED:
        settled = "; it was settled by hand" if deployment.settled else ""
        return f"{release} needs you: where users are, or how they fare, is not certain{settled}"
    if deployment.phase is Phase.REVERTED and deployment.moved:
        return f"{release} was taken back; users are on {old(deployment)} again"
    return f"{release} was not deployed; users never left {old(deployment)}"


def _after(deployment: Deployment) -> tuple[str, ...]:
    """What the daemon says to type; else where to look."""
    if deployment.phase is Phase.LIVE and not deployment.reason:
        return ()
    return deployment.next or (f"bluegreen logs {deployment.id}",)


def history_lines(deployments: Sequence[Deployment], now: datetime) -> list[str]:
    """One line a deployment, the latest first."""
    if not deployments:
        return ["No deployment was made yet.", *commands(("bluegreen plan RELEASE",))]
    rows = [_row(cleaned(deployment), now) for deployment in deployments]
    head = ("", "ID", "RELEASE", "TO", "PHASE", "STARTED", "TOOK", "WHY")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [_columns(row, widths) for row in (head, *rows)]


def _columns(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return " ".join([mark(row[0]) if row[0] else cells[0], *cells[1:]]).rstrip()


def _row(deployment: Deployment, now: datetime) -> tuple[str, ...]:
    took = duration(((deployment.ended_at or now) - deployment.created_at).total_seconds())
    reason = f"{deployment.cause}: {deployment.reason}" if deployment.cause else deployment.reason
    return (
        OUTCOMES.get(deployment.phase, text.RUNNING),
        deployment.id,
        version(deployment),
        deployment.new,
        deployment.phase,
        text.moment(deployment.created_at),
        took,
        reason if len(reason) <= WHY_COLUMN else f"{reason[: WHY_COLUMN - 1]}…",
    )


def deployment_lines(deployment: Deployment, phases: Sequence[str]) -> list[str]:
    """All there is to say of one deployment; `phases` are its lines, from the story."""
    shown = cleaned(deployment)
    plan = shown.plan
    asked = f"by {plan.requested_by or 'nobody known'}, {text.moment(shown.created_at)}"
    lines = [
        f"{mark(OUTCOMES.get(shown.phase, text.RUNNING))} {shown.id}: {what(plan)}, {strong(shown.phase)}",
        paragraph("asked for", f"{asked}{f', because: {plan.reason}' if plan.reason else ''}"),
        paragraph("from", old(shown)),
        *phases,
        *ran_lines(shown),
    ]
    if shown.phase.final:
        return lines + warnings(shown.warnings) + outcome_lines(shown)
    return lines + warnings(shown.warnings) + why(shown) + noted(shown) + commands(next_of(shown))


# --- phrases


def doing(deployment: Deployment) -> str:
    """What the present phase does, as its plan said."""
    step = next((step for step in deployment.plan.steps if step.phase is deployment.phase), None)
    own = {
        Phase.ASSESSING: "finding out what was applied to the database",
        Phase.ABANDONING: f"stopping {deployment.new}; users stay on {deployment.old}",
        Phase.REVERTING: f"sending all users back to {deployment.old}",
    }
    if step is not None and step.does:
        own[Phase.AWAITING] = f"waiting for you: bluegreen promote {deployment.id}"
    return own.get(deployment.phase) or (step.text if step else "")


def next_of(deployment: Deployment) -> tuple[str, ...]:
    """What an operator may want to type now."""
    if deployment.phase.final:
        return deployment.next
    if deployment.phase is Phase.AWAITING:
        return (f"bluegreen promote {deployment.id}", f"bluegreen abort {deployment.id}")
    if deployment.phase.ignores_abort or deployment.phase is Phase.CONTRACTING or deployment.stopped:
        return (f"bluegreen watch {deployment.id}",)
    if deployment.phase in BEFORE_SWITCH:
        return (f"bluegreen watch {deployment.id}", f"bluegreen abort {deployment.id}")
    return (f"bluegreen watch {deployment.id}", "bluegreen cutback")


def warnings(found: Sequence[str]) -> list[str]:
    """Warnings, a line each."""
    return [remark(text.WARNING, "warning", text.clean(warning)) for warning in found]


def why(deployment: Deployment) -> list[str]:
    """The reason of whatever went wrong; nothing where nothing did."""
    if not deployment.reason:
        return []
    lines = [paragraph("why", f"{deployment.reason}{f' ({deployment.cause})' if deployment.cause else ''}")]
    finding = finding_of(deployment)
    return [*lines, paragraph("aftermath", finding)] if finding else lines


def noted(deployment: Deployment) -> list[str]:
    """What the release said of itself that decides nothing: what it uses that is deprecated."""
    words = in_words(deployment)
    return [paragraph("noted", words)] if words else []


def what(plan: Plan) -> str:
    """What is being done, in a few words."""
    verb = "rollback" if plan.kind is Kind.ROLLBACK else "deploy"
    return f"{verb} of {plan.release.version} to {plan.idle}"


def version(deployment: Deployment) -> str:
    """The release that is made live."""
    return deployment.plan.release.version


def old(deployment: Deployment) -> str:
    """The colour that served before, with its release."""
    release = deployment.plan.live_release
    return f"{deployment.old} ({release})" if release else str(deployment.old)
