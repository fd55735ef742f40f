"""The verbs of `caddy`: how it is set up for a switch, mode "pointer" on and off, and the lines for the Caddyfile."""

from pathlib import Path

import click

from bluegreen.app.upkeep_answers import BalancerSetup
from bluegreen.interfaces import arming_lines
from bluegreen.interfaces.cli.asking import agree, yes_option
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import group
from bluegreen.interfaces.cli.shell import Shell, config_option, verb

LEFT = ("It goes on in the daemon without you.", ("bluegreen caddy show",))


@verb("show")
def caddy_show(shell: Shell) -> None:
    """How each service is set up for a switch."""
    shell.show(shell.ask(lambda client: client.balancer_setup()), arming_lines.setup_lines)


@verb("arm")
@yes_option
@reason_option
def caddy_arm(shell: Shell, yes: bool, reason: str) -> None:
    """Mode "pointer": set the routes up so that a switch is the change of one file. Shows what is written first; users
    stay where they are, and that is proved."""
    found = _looked_at(shell)
    shell.remark(arming_lines.before_arming(found))
    agree(shell, "Arm them?", "bluegreen caddy arm -y", yes)
    shell.left = LEFT
    shell.show(shell.ask(lambda client: client.arm(reason)), arming_lines.setup_lines)


@verb("disarm")
@yes_option
@reason_option
def caddy_disarm(shell: Shell, yes: bool, reason: str) -> None:
    """Put the routes back exactly as they were before `arm`. Users stay where they are, and that is proved."""
    found = _looked_at(shell)
    shell.remark(arming_lines.before_disarming(found))
    agree(shell, "Put them back?", "bluegreen caddy disarm -y", yes)
    shell.left = LEFT
    shell.show(shell.ask(lambda client: client.disarm(reason)), arming_lines.setup_lines)


@verb("snippet")
@click.option("--offline", is_flag=True, help="Without the daemon, from the configuration.")
@config_option
def caddy_snippet(shell: Shell, offline: bool, file: Path) -> None:
    """The lines for the Caddyfile with which mode "pointer" survives a reload and a restart of Caddy. They hold the
    secret of the preview, so they are for admins."""
    if offline:
        if shell.offline_snippet is None:
            raise click.UsageError("--offline belongs to the program `bluegreen` on the daemon's host")
        found = shell.offline_snippet(shell, file)
    else:
        again = ("bluegreen caddy snippet --offline",)
        _of_pointer(shell, shell.ask(lambda client: client.balancer_setup(), without_daemon=again).value)
        found = shell.ask(lambda client: client.caddyfile_lines()).value.snippet
    if shell.json:
        shell.say_json({"snippet": found})
    else:
        click.echo(found, nl=False)


def _looked_at(shell: Shell) -> BalancerSetup:
    return _of_pointer(shell, shell.ask(lambda client: client.balancer_setup()).value)


def _of_pointer(shell: Shell, setup: BalancerSetup) -> BalancerSetup:
    if setup.mode not in (arming_lines.POINTER, arming_lines.REWRITE):
        why = f"Arms are for Caddy, and the balancer here is {setup.mode}."
        shell.fail(why, ("bluegreen status",), Exit.NOT_POSSIBLE)
    if setup.mode != arming_lines.POINTER:
        commands = ('set [caddy] mode = "pointer", then: bluegreen reload', "bluegreen config docs caddy.mode")
        shell.fail(f'This belongs to mode "pointer", and the mode is "{setup.mode}".', commands, Exit.NOT_POSSIBLE)
    return setup


caddy = group(
    "caddy",
    "How Caddy is set up for a switch.",
    caddy_show,
    caddy_arm,
    caddy_disarm,
    caddy_snippet,
)
