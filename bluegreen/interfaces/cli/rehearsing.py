"""`migrate plan`, `migrate up` and `migrate contract`: migrations rehearsed, and applied by hand."""

import json
import sys
from pathlib import Path

import click

from bluegreen.domain.findings import Gate
from bluegreen.interfaces import rehearsal_lines
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell, verb

FILES_LIMIT = (1 << 20) - 1024
"""Bytes of files, as JSON, that the daemon takes in one request."""

LEFT = ("It goes on in the daemon without you.", ("bluegreen migrate status",))


@verb("plan")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Rehearse the *.sql files here instead of what is pending; they need not be on the daemon's host.",
)
@click.option("--source", metavar="NAME", default="", help="Whose files these are: a name of [[migrations]].")
def migrate_plan(shell: Shell, directory: Path | None, source: str) -> None:
    """Rehearse what is pending on a copy, and say what it would do to the version that runs. Production is only read.

    Exit code 0: allowed, with or without warnings; 6: refused.
    """
    files = _files(directory) if directory is not None else {}
    if directory is not None and not files:
        raise click.UsageError(f"there is no *.sql file in {directory}")
    size = len(json.dumps(files))
    if size > FILES_LIMIT:
        raise click.UsageError(f"these files have {size >> 10} KiB, and {FILES_LIMIT >> 10} KiB are taken at a time")
    shell.left = ("The rehearsal goes on in the daemon and cleans up after itself.", ("bluegreen migrate plan",))
    reply = shell.ask(lambda client: client.rehearse(files, source))
    shell.show(reply, rehearsal_lines.rehearsal_lines)
    if reply.value.gate is Gate.REFUSE:
        sys.exit(Exit.GATE)


@verb("up")
@reason_option
def migrate_up(shell: Shell, reason: str) -> None:
    """Apply the pending expand migrations now: backup, rehearsal, the migrations, then the live colour is proved."""
    shell.left = LEFT
    shell.show(shell.ask(lambda client: client.migrate_up(reason)), rehearsal_lines.migrated_lines)


@verb("contract")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@reason_option
def migrate_contract(shell: Shell, yes: bool, reason: str) -> None:
    """Apply the contract migrations that nothing needs the old shape against any more. What served before cannot serve
    again then: shows what it will do, and asks."""
    plan = shell.ask(lambda client: client.contract_plan())
    if not plan.value.due:
        shell.show(plan, rehearsal_lines.contract_plan_lines)
        return
    shell.remark(rehearsal_lines.contract_plan_lines(plan.value))
    if not yes:
        _ask(shell)
    shell.left = LEFT
    reply = shell.ask(lambda client: client.migrate_contract(plan.value.due, reason))
    shell.show(reply, rehearsal_lines.migrated_lines)


def _ask(shell: Shell) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("this closes a way back, so it asks first, and here is no terminal to ask on: add -y")
    try:
        agreed = click.confirm("Apply them?", default=False, err=shell.json)
    except click.Abort:
        agreed = False
        click.echo(err=True)
    if not agreed:
        shell.fail("Nothing was applied.", ("bluegreen migrate contract",), Exit.ERROR)


def _files(directory: Path) -> dict[str, str]:
    """The SQL files of a directory, by name; what is no text is for the daemon to refuse by its name."""
    try:
        return {
            path.name: path.read_bytes().decode("utf-8-sig")
            for path in sorted(directory.iterdir())
            if path.suffix == ".sql" and not path.name.startswith(".")
        }
    except OSError as exc:
        raise click.UsageError(f"{exc.filename} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"a file in {directory} is not UTF-8 (byte {exc.start})") from exc
