"""The verb that explains: a verdict's arithmetic, or what a code means (that without the daemon)."""

from datetime import UTC, datetime

import click

from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell, verb


@verb("explain")
@click.argument("what", metavar="[ID | CODE]", default="current")
def explain(shell: Shell, what: str) -> None:
    """Why the verdict of a deployment is what it is; or what an error code, cause, verdict or exit code means."""
    from bluegreen.interfaces import glossary, verdicts

    entry = glossary.find(what)
    if entry is not None:
        if shell.json:
            shell.say_json(entry.document())
        else:
            shell.say(glossary.entry_lines(entry))
        return
    if what != "current" and not what.startswith("d-"):
        commands = ("bluegreen history", "bluegreen explain caddy-unreachable")
        shell.fail(f"{what} is no deployment, and no code that bluegreen says", commands, Exit.ERROR)
    reply = shell.ask(lambda client: client.explain(what))
    shell.show(reply, lambda found: verdicts.explanation_lines(found, datetime.now(UTC)))
