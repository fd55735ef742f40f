"""Verbs of upkeep: env, notify, hook, audit. None of them moves users."""

import sys
from typing import TYPE_CHECKING, Any

import click

from bluegreen.interfaces import text, upkeep_lines
from bluegreen.interfaces.cli.deploying import optional_release, reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import group, word_of
from bluegreen.interfaces.cli.shell import Shell, pages, verb
from bluegreen.interfaces.cli.variables import env_check
from bluegreen.interfaces.smoke_lines import smoke_lines

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client

COLOURS = click.Choice(["blue", "green"])


@verb("up")
@click.argument("colour", type=COLOURS)
@optional_release
@reason_option
def env_up(shell: Shell, colour: str, release: str, reason: str) -> None:
    """Start the idle colour with RELEASE, else with the one it last ran. It stays until `env down` or a deployment."""
    shell.left = (f"{colour} is being started without you.", ("bluegreen status",))
    shell.show(shell.ask(lambda client: client.start_colour(colour, release, reason)), upkeep_lines.by_hand_lines)


@verb("down")
@click.argument("colour", type=COLOURS)
@reason_option
def env_down(shell: Shell, colour: str, reason: str) -> None:
    """Stop the idle colour."""
    shell.left = (f"{colour} is being stopped without you.", ("bluegreen status",))
    shell.show(shell.ask(lambda client: client.stop_colour(colour, reason)), upkeep_lines.by_hand_lines)


@verb("takeover")
@click.argument("colour", type=COLOURS)
@click.option("--reason", required=True, help="How you know that those of the other colour do not run.")
def env_takeover(shell: Shell, colour: str, reason: str) -> None:
    """Start the live-only services of the colour that serves, though those of the other one cannot be stopped."""
    shell.left = (f"The live-only services of {colour} are being started without you.", ("bluegreen status",))
    shell.show(shell.ask(lambda client: client.take_over(colour, reason)), upkeep_lines.taken_over_lines)


@verb("logs")
@click.argument("colour", type=COLOURS)
@click.option("-n", "--lines", type=click.IntRange(1, 10_000), default=200, help="How many, from the end.")
def env_logs(shell: Shell, colour: str, lines: int) -> None:
    """The end of a colour's own log, of the live one too."""
    shell.show(shell.ask(lambda client: client.environment_logs(colour, lines)), lambda found: text.block(found.text))


@verb("smoke")
@click.argument("colour", type=COLOURS)
@click.option("--continuity", is_flag=True, help="And whether what either colour gives its users holds on the other.")
def env_smoke(shell: Shell, colour: str, continuity: bool) -> None:
    """Ask a colour everything that a deployment would ask of it, of the live one too. -v shows requests and answers."""
    reply = shell.ask(lambda client: client.smoke_colour(colour, continuity=continuity))
    shell.show(reply, lambda answer: smoke_lines(answer, verbose=shell.verbose))
    if not reply.value.passed:
        sys.exit(Exit.ERROR)


@verb("test")
@click.argument("name", required=False, default="")
def notify_test(shell: Shell, name: str) -> None:
    """Send a marked test notice to NAME, else to every receiver."""
    failed = shell.ask(lambda client: _send_tests(shell, client, name))
    if failed:
        sys.exit(Exit.ERROR)


async def _send_tests(shell: Shell, client: "Client", name: str) -> int:
    """One after the other; returns how many failed. A single one that fails ends it with its reason."""
    from bluegreen.interfaces.client import ClientError

    if name:
        shell.show(await client.test_receiver(word_of(name)), lambda sent: [upkeep_lines.delivered_line(sent)])
        return 0
    documents: list[dict[str, Any]] = []
    for receiver in (await client.receivers()).value.items:
        try:
            reply = await client.test_receiver(receiver)
        except ClientError as exc:
            if exc.code != "notifier-failed":
                raise
            documents.append({"name": receiver, "problem": exc.detail})
            shell.remark([f"{text.mark(text.FAILED)} {text.clean(exc.detail)}"])
        else:
            documents.append(reply.document)
            shell.remark([upkeep_lines.delivered_line(reply.value)])
    if shell.json:
        shell.say_json(documents)
    elif not documents:
        shell.say(["No receiver is configured.", *text.commands(("bluegreen config docs notify",))])
    return sum("problem" in document for document in documents)


@verb("test")
@click.argument("name")
def hook_test(shell: Shell, name: str) -> None:
    """Post a resolved alert to hook NAME, as its sender would; say what a firing one would do now."""
    shell.show(shell.ask(lambda client: client.test_hook(word_of(name))), upkeep_lines.hook_lines)


@verb("audit")
@click.option("-n", "--number", type=click.IntRange(1, 100_000), default=50, help="How many; the latest first.")
def audit(shell: Shell, number: int) -> None:
    """Who did what, from where, and why. For admins."""
    rows, documents = shell.ask(lambda client: pages(client.audit, 0, number))
    if shell.json:
        shell.say_json(documents)
    else:
        shell.say(upkeep_lines.audit_lines(rows))


env = group(
    "env",
    "A colour by hand: start, stop, look, check.",
    *(env_up, env_down, env_logs, env_smoke, env_check, env_takeover),
)
notify = group("notify", "Those who are told what happens.", notify_test)
hook = group("hook", "The senders of alerts.", hook_test)
