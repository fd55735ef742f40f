"""Objects to text for people. Each public function gives lines; what the daemon sent is made harmless first.

Written to be read at three in the morning: where the traffic is comes first, what to type comes last.
"""

from datetime import datetime

from bluegreen.app.requests import Drift, Observation, Paused, SchemaFit, Status, WatchStatus
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Plan
from bluegreen.domain.traffic import Colour, Traffic
from bluegreen.interfaces import text
from bluegreen.interfaces.backfill_lines import progress_line, todo
from bluegreen.interfaces.connection_lines import connection_lines
from bluegreen.interfaces.live_only_lines import live_only_lines
from bluegreen.interfaces.release_lines import release_lines
from bluegreen.interfaces.reports import doing, next_of, version, warnings, what, why
from bluegreen.interfaces.running_lines import running_lines
from bluegreen.interfaces.text import cleaned, commands, duration, mark, paragraph, remark, strong
from bluegreen.interfaces.variable_lines import plan_variables

# --- status


def status_lines(status: Status, *, verbose: bool = False) -> list[str]:
    """Where the traffic is, whether anything moves, and what to type."""
    status = cleaned(status)
    lines = [_headline(status)]
    if status.observing is not None:
        lines += observing_lines(status.observing, status.now)
    if status.drift is not None:
        lines += drift_lines(status.drift)
    if status.pause is not None:
        lines.append(pause_line(status.pause, status.now))
    if status.deployment is not None:
        lines += _deployment_now(status.deployment, status)
    lines += [paragraph("streams", _still_open(n, colour)) for colour, n in status.open_requests.items()]
    lines += live_only_lines(status.live_only)
    lines += running_lines(status.running, status.now, verbose=verbose)
    lines += connection_lines(status.connections)
    if status.watch is not None:
        lines += watch_lines(status.watch)
    if status.aftermath:
        lines.append(paragraph("aftermath", status.aftermath))
    if status.backfill is not None:
        lines.append(paragraph("backfill", progress_line(status.backfill)))
    if status.schema_fit is not None:
        lines.append(fit_line(status.schema_fit))
    lines += [remark(text.WARNING, "trouble", trouble) for trouble in status.troubles]
    if verbose:
        lines += _details(status)
    return lines + commands(_next_of(status))


def headline(status: Status) -> str:
    """The first line of `status` alone, and whether automation is paused."""
    return _headline(cleaned(status)) + ("; automation is paused" if status.pause else "")


def stamped(status: Status) -> str:
    """The first line with its time: for those who append lines."""
    return f"{text.clock(status.now)} {headline(status)}"


def moving(status: Status) -> str:
    """What must change before those who append lines are told again: not the seconds that are left."""
    deployment = status.deployment
    standing = (deployment.id, deployment.phase, deployment.settled) if deployment else ()
    drifted = (status.drift.wanted, status.drift.doing) if status.drift else ()
    by_hand = status.doing if deployment is None or not deployment.blocks_others else ""
    return repr((_where(status), standing, status.troubles, drifted, status.pause, by_hand))


def _headline(status: Status) -> str:
    """Where the traffic is, and what moves; what comes first is that nothing is done, where that is so."""
    return f"{strong('OBSERVING')} {_now(status)}" if status.observing is not None else _now(status)


def _now(status: Status) -> str:
    where, glyph = _where(status)
    deployment = status.deployment
    if status.drift is not None:
        moved = strong("moved outside bluegreen")
        return f"{mark(text.WARNING)} {where}; it was {moved}: {status.drift.wanted} is wanted"
    if deployment is None or not deployment.blocks_others:
        return f"{glyph} {where}; {status.doing or 'nothing is moving'}"
    if deployment.phase is Phase.STRANDED:
        return f"{mark(text.FAILED)} {where}; deployment {deployment.id} is {strong('STRANDED')}: it needs you"
    left = f", {duration(status.phase_seconds_left)} left" if status.phase_seconds_left is not None else ""
    moving = f"deployment {deployment.id} {strong(deployment.phase)} {deployment.new} {version(deployment)}{left}"
    return f"{glyph} {where}; {moving}"


def _where(status: Status) -> tuple[str, str]:
    """Where users are, in words, and its glyph."""
    traffic = status.traffic
    if traffic is None:
        why = status.traffic_error or "the balancer was not read"
        return f"nobody knows where the traffic is: {why}", mark(text.FAILED)
    if traffic.split is not None:
        return f"{strong('users are shared out')}: {traffic.split}", mark(text.RUNNING)
    if traffic.colour is None:
        return f"traffic is on neither colour alone: {_scattered(traffic)}", mark(text.FAILED)
    release = status.releases.get(traffic.colour) or "an unknown release"
    services = ", ".join(service.service for service in traffic.services)
    behind = f", {traffic.colour.other} is its fallback" if traffic.fallback else ""
    return f"{strong(traffic.colour)} serves {strong(release)} ({services}){behind}", text.dot(traffic.colour)


def _scattered(traffic: Traffic) -> str:
    return ", ".join(
        f"{service.service} on {service.colour or ' '.join(service.dials) or 'nothing'}" for service in traffic.services
    )


def _deployment_now(deployment: Deployment, status: Status) -> list[str]:
    plan, now = deployment.plan, status.now
    if not deployment.blocks_others:
        ended = f"{text.ago(deployment.ended_at, now)}" if deployment.ended_at else ""
        settled = ", settled by hand" if deployment.settled else ""
        last = f"{what(plan)} ended {deployment.phase}{settled} {ended}  {text.faint(deployment.id)}"
        return [paragraph("last", last), *why(deployment)]
    asked = f"{what(plan)}, asked for by {plan.requested_by or 'nobody known'} {text.ago(deployment.created_at, now)}"
    lines = [paragraph("deployment", asked)]
    if deployment.phase_since is not None and not deployment.phase.final:
        since = duration((now - deployment.phase_since).total_seconds())
        lines.append(paragraph("phase", f"{deployment.phase} for {since}: {doing(deployment)}"))
    if status.doing:
        lines.append(paragraph("now", status.doing))
    return lines + why(deployment) + warnings(deployment.warnings)


def _still_open(n: int, colour: Colour) -> str:
    return f"{n or 'no'} request{'' if n == 1 else 's'} still open on {colour}"


def fit_line(fit: SchemaFit) -> str:
    """Whether a rollback is possible, as far as the schema goes; where not, since what, and the backup to restore."""
    if not fit.may_serve:
        kept = f"the backup from before it is {fit.backup}" if fit.backup else "no backup from before it is kept"
        return remark(text.WARNING, "rollback", f"{fit.release} cannot serve again since {fit.migration}; {kept}")
    if fit.doubts:
        unsure = f"whether {fit.release} may serve again is not known since {', '.join(fit.doubts)}"
        return remark(text.WARNING, "rollback", unsure)
    return paragraph("rollback", f"{fit.release} may serve again, as far as the schema goes")


def observing_lines(seen: Observation, now: datetime) -> list[str]:
    """That nothing is done, what people did by hand, and what would have followed from it."""
    if seen.since is None:
        last = f"; {seen.said}" if seen.said else ""
        return [paragraph("observing", f'automation is "observe": nothing is done, it is only said{last}')]
    moved = f"users were moved to {seen.colour} by hand {text.ago(seen.since, now)}"
    left = f", {duration(seen.seconds_left)} of the window left" if seen.seconds_left else ""
    said = seen.said or f"{seen.verdict or 'on trial'} so far{left}"
    return [paragraph("observing", f"{moved}; {said}")]


def drift_lines(drift: Drift) -> list[str]:
    """What Caddy dials and should not, like a diff, and what is done about it."""
    lines = [remark(text.WARNING, "drift", f"since {text.moment(drift.since)}; {drift.doing or 'it was just seen'}")]
    return lines + [paragraph("", line) for line in drift.difference or (drift.seen,)]


def pause_line(paused: Paused, now: datetime) -> str:
    """Who paused the automation, since when, until when, and why."""
    until = text.until(paused.until, now) if paused.until is not None else "somebody resumes"
    said = f"by {paused.by} since {text.until(paused.since, now)} until {until}: {paused.reason}"
    return remark(text.WARNING, "paused", said)


def watch_lines(watch: WatchStatus) -> list[str]:
    """The verdict and its arithmetic, the way back, and why the watch does not end."""
    watch = cleaned(watch)
    lines = [paragraph("verdict", f"{strong(watch.verdict)}{f': {watch.reason}' if watch.reason else ''}")]
    lines += [paragraph("", signal.text) for signal in watch.signals]
    glyph = {"lost": text.FAILED, "degraded": text.WARNING}.get(watch.way_back, text.DONE)
    why_not = f": {watch.way_back_why}" if watch.way_back_why else ""
    lines.append(remark(glyph, "way back", f"{watch.way_back}{why_not}"))
    return [*lines, remark(text.WARNING, "held", watch.held)] if watch.held else lines


def verdict_news(watch: WatchStatus, seconds_left: float | None, now: datetime) -> list[str]:
    """The verdict on one line, with the strongest signal's arithmetic."""
    watch = cleaned(watch)
    said = "; ".join(filter(None, [watch.reason, watch.signals[0].text if watch.signals else ""]))
    left = f"; {duration(seconds_left)} left" if seconds_left is not None else ""
    back = "" if watch.way_back == "ready" else f"; the way back is {watch.way_back}"
    held = f"; held: {watch.held}" if watch.held else ""
    return [f"{text.clock(now)} {text.NOTHING} verdict {watch.verdict}: {said}{back}{held}{left}"]


def _details(status: Status) -> list[str]:
    up = duration((status.now - status.started_at).total_seconds())
    lines = [paragraph("daemon", f"bluegreen {status.version}, project {status.project}, up for {up}")]
    services = status.traffic.services if status.traffic else ()
    return lines + [
        paragraph(service.service, f"{' '.join(service.dials)}  {text.faint(' '.join(service.paths))}")
        for service in services
    ]


HOW_IT_IS = {
    "Caddy": "systemctl status caddy",
    "Traefik": "systemctl status traefik",
    "Cloudflare": "https://www.cloudflarestatus.com",
}
"""What to look at where a balancer cannot be read, by its name."""


def _next_of(status: Status) -> tuple[str, ...]:
    deployment = status.deployment
    if deployment is not None and deployment.blocks_others:
        return next_of(deployment)
    if status.observing is not None and status.observing.next:
        return status.observing.next
    if status.drift is not None:
        return status.drift.next
    if status.traffic is None:
        return (HOW_IT_IS.get(status.balancer, "bluegreen doctor"), "journalctl -u bluegreen -p warning")
    if (status.traffic.colour is None and status.traffic.split is None) or status.troubles:
        return ("journalctl -u bluegreen -p warning",)
    if status.backfill is not None:
        return todo(status.backfill)
    return ()


# --- plans


def plan_lines(plan: Plan, now: datetime) -> list[str]:
    """What a deployment would do, phase by phase."""
    plan = cleaned(plan)
    serves = f"{plan.live} serves {plan.live_release or 'an unknown release'} now"
    lines = [f"{strong(what(plan))}; {serves}  {text.faint(plan.id)}"]
    for step in plan.steps:
        glyph = mark(text.RUNNING) if step.does else text.NOTHING
        line = f"  {glyph} {step.phase:<12} {step.text}"
        lines.append(line if step.does else text.faint(line))
    lines += release_lines(plan)
    lines += plan_variables(plan)
    lines += [paragraph("switch costs" if line == plan.costs[0] else "", line, 15) for line in plan.costs]
    lines += [paragraph("judged by" if line == plan.judged[0] else "", line, 15) for line in plan.judged]
    lines += warnings(plan.warnings)
    return [*lines, f"  Good until {text.until(plan.expires_at, now)}, unless something changes before."]


def plan_question(plan: Plan) -> str:
    """What is asked before a deployment starts."""
    plan = cleaned(plan)
    return f"Deploy {plan.release.version} to {plan.idle}?"
