"""Verbs that bring a release to users: plan, deploy, watch, rollback, retry."""

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bluegreen.app.requests import PlanRequest
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import OBSERVED, TO_ACT
from bluegreen.domain.plans import Plan
from bluegreen.interfaces import render, reports, text
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell, verb
from bluegreen.interfaces.cli.superseding import superseding

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client, Reply

Function = Callable[..., Any]
UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
TERMS = ("auto_promote", "contract", "live_is_down", "force", "reason")


class Duration(click.ParamType[float]):
    """ "90", "30s", "10m", "1h30m": seconds where no unit is said."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        if re.fullmatch(r"\d+", value):
            return float(value)
        if re.fullmatch(r"(\d+[dhms])+", value):
            return float(sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([dhms])", value)))
        return self.fail(f'"{text.clean(value)}" is no duration such as 30s, 10m or 1h30m', param, ctx)


def reason_option(function: Function) -> Function:
    """--reason, on one line."""

    def one_line(context: click.Context, parameter: click.Parameter, value: str) -> str:
        return " ".join(value.split())

    return click.option("--reason", default="", callback=one_line, help="Why; kept in the audit.")(function)


def terms_options(function: Function) -> Function:
    """The terms on which a release is planned."""
    for option in (
        click.option("--auto-promote/--manual-promote", default=None, help="Do not wait for `promote`, or do."),
        click.option("--contract", is_flag=True, help="Run the contract migrations that are due."),
        click.option("--live-is-down", is_flag=True, help="Nothing works now: do not insist on a healthy live colour."),
        click.option("--force", is_flag=True, help="Also what a gate refuses: taken back before, a skipped version."),
        click.option("--supersede", is_flag=True, help="End the deployment that runs first, where that harms nobody."),
        reason_option,
    ):
        function = option(function)
    return function


def optional_release(function: Function) -> Function:
    """[RELEASE]. A script's empty variable is refused, or it would mean "whichever is usual"."""

    def named(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
        if value == "":
            raise click.BadParameter("it is empty; leave it out, or name a release")
        return value or ""

    return click.argument("release", required=False, default=None, callback=named)(function)


def following_options(function: Function) -> Function:
    """How long to stay."""
    for option in (
        click.option("--wait-final", is_flag=True, help="Stay until the old colour is retired."),
        click.option("--timeout", type=Duration(), help="Leave after this time; the deployment goes on."),
    ):
        function = option(function)
    return function


no_watch_option = click.option("--no-watch", is_flag=True, help="Start it and leave.")


@verb("plan")
@click.argument("release")
@click.option("--exit-code", is_flag=True, help="End with 10 where RELEASE is not what serves now.")
@terms_options
def plan(shell: Shell, release: str, exit_code: bool, **terms: Any) -> None:
    """What a deployment of RELEASE would do. Nothing is done."""
    request = _request(release, terms)
    reply = shell.ask(lambda client: client.plan(request))
    shell.show(reply, _plan_and_command)
    if exit_code and reply.value.release.version != reply.value.live_release:
        sys.exit(Exit.CHANGES)


def _plan_and_command(made: Plan) -> list[str]:
    steps = TO_ACT if OBSERVED in made.warnings else (f"bluegreen deploy --plan {text.clean(made.id)}",)
    return [*render.plan_lines(made, datetime.now(UTC)), *text.commands(steps)]


@verb("deploy")
@click.argument("release", required=False)
@click.option("--plan", "plan_id", metavar="ID", help="Exactly this plan.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@no_watch_option
@following_options
@terms_options
def deploy(
    shell: Shell,
    release: str | None,
    plan_id: str | None,
    yes: bool,
    no_watch: bool,
    wait_final: bool,
    timeout: float | None,
    **terms: Any,
) -> None:
    """Make RELEASE live: show the plan, ask, do it, and follow it until it serves."""
    _check_usage(release, plan_id, yes, terms)
    made = _planned(shell, release, plan_id, terms)
    shell.remark(render.plan_lines(made, datetime.now(UTC)))
    if not yes:
        _ask(shell, made)
    supersede = terms["supersede"] or bool(made.supersedes)
    begin = superseding(shell, made, timeout) if supersede else lambda client: client.deploy(made.id)
    start = _starting(begin)
    sys.exit(shell.ask(lambda client: start(shell, client, no_watch, wait_final, timeout)))


def _check_usage(release: str | None, plan_id: str | None, yes: bool, terms: dict[str, Any]) -> None:
    if (release is None) == (plan_id is None):
        raise click.UsageError("name either a RELEASE or a plan (--plan ID)")
    if plan_id is not None and any(terms[name] not in (None, False, "") for name in TERMS):
        raise click.UsageError("the terms of a plan were fixed when it was made: plan again with these options")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("this moves users, so it asks first, and here is no terminal to ask on: add -y")


def _planned(shell: Shell, release: str | None, plan_id: str | None, terms: dict[str, Any]) -> Plan:
    if plan_id is not None:
        return shell.ask(lambda client: client.stored_plan(plan_id)).value
    request = _request(release or "", terms)
    return shell.ask(lambda client: client.plan(request)).value


def _request(release: str, terms: dict[str, Any]) -> PlanRequest:
    for flag in ("force", "live_is_down"):
        if terms[flag] and not terms["reason"]:
            raise click.UsageError(f"--{flag.replace('_', '-')} needs a --reason: it goes into the audit")
    return PlanRequest(release, **terms)


def _ask(shell: Shell, made: Plan) -> None:
    try:
        agreed = click.confirm(render.plan_question(made), default=False, err=shell.json)
    except click.Abort:
        agreed = False
        click.echo(err=True)
    if not agreed:
        shell.fail("Nothing was started.", (f"bluegreen deploy --plan {made.id}",), Exit.ERROR)


@verb("watch")
@click.argument("deployment", metavar="[ID]", default="current")
@following_options
def watch(shell: Shell, deployment: str, wait_final: bool, timeout: float | None) -> None:
    """Follow a deployment; without ID the running one, else the last. Ends as `deploy` does."""

    async def attach(client: "Client") -> Exit:
        from bluegreen.interfaces.cli import following

        found = (await client.deployment(deployment)).value
        goal = following.ended if wait_final else following.serving
        return await following.follow(shell, client, found, goal, timeout)

    sys.exit(shell.ask(attach))


@verb("rollback")
@optional_release
@reason_option
@no_watch_option
@following_options
def rollback(shell: Shell, release: str, reason: str, no_watch: bool, wait_final: bool, timeout: float | None) -> None:
    """Return to the last good release, or to RELEASE: a deployment of its own."""
    start = _starting(lambda client: client.rollback(release, reason))
    sys.exit(shell.ask(lambda client: start(shell, client, no_watch, wait_final, timeout)))


@verb("retry")
@click.argument("deployment", metavar="[ID]", default="current")
@no_watch_option
@following_options
def retry(shell: Shell, deployment: str, no_watch: bool, wait_final: bool, timeout: float | None) -> None:
    """Try again: an ABANDONED deployment from its beginning, a STRANDED one's way back."""
    start = _starting(lambda client: client.retry(deployment))
    sys.exit(shell.ask(lambda client: start(shell, client, no_watch, wait_final, timeout)))


def _starting(begin: "Callable[[Client], Awaitable[Reply[Deployment]]]") -> Callable[..., Awaitable[Exit]]:
    """Begin a deployment and follow it, or only say how to."""

    async def start(shell: Shell, client: "Client", no_watch: bool, wait_final: bool, timeout: float | None) -> Exit:
        from bluegreen.interfaces.cli import following

        reply = await begin(client)
        if no_watch:
            shell.show(reply, reports.started_lines)
            return Exit.DONE
        goal = following.ended if wait_final else following.serving
        return await following.follow(shell, client, reply.value, goal, timeout)

    return start
