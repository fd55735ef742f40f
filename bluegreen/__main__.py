"""The top floor: the verbs that need wiring or settings (serve, demo, config), beside those that talk to a daemon."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluegreen.interfaces.cli import bluegreen
from bluegreen.interfaces.cli.exits import Exit, of_error
from bluegreen.interfaces.cli.replaying import replaying
from bluegreen.interfaces.cli.shell import OfflineCutback, Shell, Verb, config_option, global_options, verb

if TYPE_CHECKING:  # settings and wiring cost a second verb's start: they are imported by the verbs that need them
    from bluegreen.domain.plans import Terms
    from bluegreen.settings import Entry, Settings

__all__ = ["bluegreen", "main"]


def main() -> None:
    """The program `bluegreen`. That nobody can be told anything keeps no order from being given."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 # for as long as the program
        getattr(sys, name).reconfigure(errors="replace")  # a terminal without UTF-8 still gets the words
    shell = Shell(
        offline=_cut_back_offline, offline_commands=_restore_commands_offline, offline_snippet=_snippet_offline
    )
    bluegreen(prog_name="bluegreen", obj=shell)


def _cut_back_offline(shell: Shell, wish: OfflineCutback) -> Exit:
    from bluegreen import offline

    return offline.cut_back(shell, wish)


def _restore_commands_offline(shell: Shell, file: Path, id: str) -> None:
    import asyncio

    from bluegreen import wiring
    from bluegreen.domain.errors import BluegreenError, NotFound
    from bluegreen.interfaces import text

    settings = _load(shell, file)

    async def found() -> tuple[str, ...]:
        for database in wiring.databases(settings):
            for backup in await database.backups():
                if backup.id == id:
                    return await database.restorations.commands(backup)
        raise NotFound(f"there is no backup {id} in {settings.backup.directory}", next=("bluegreen backup list",))

    try:
        shell.say(text.clean(line) for line in asyncio.run(found()))
    except BluegreenError as exc:
        shell.fail(exc.detail, exc.next, of_error(exc))


def _snippet_offline(shell: Shell, file: Path) -> str:
    from bluegreen import wiring
    from bluegreen.domain.errors import BluegreenError

    try:
        return wiring.caddyfile_lines(_load(shell, file))
    except BluegreenError as exc:
        shell.fail(exc.detail, exc.next, of_error(exc))


@verb("serve")
@config_option
def serve(shell: Shell, file: Path) -> None:
    """The daemon."""
    from bluegreen import daemon
    from bluegreen.domain.errors import BluegreenError

    settings = _load(shell, file)
    try:
        code = daemon.serve(settings)
    except BluegreenError as exc:
        shell.fail(exc.detail, exc.next, of_error(exc))
    sys.exit(code)


@verb("demo")
@click.option("--keep", is_flag=True, help="Leave everything running, with the commands to explore it.")
def demo(shell: Shell, keep: bool) -> None:
    """See it work: a real Caddy, a real Postgres, a sample application. No root, no network."""
    from bluegreen.demo import story

    sys.exit(story.main(keep))


@verb("doctor")
@config_option
@click.option("--unit", "unit_only", is_flag=True, help="Only the systemd unit.")
def doctor(shell: Shell, file: Path, unit_only: bool) -> None:
    """Look at everything that a deployment needs; say what is wrong and what to type. Changes nothing."""
    import asyncio

    from bluegreen.doctor import Level, Wish, as_document, as_lines, examine

    findings, masked = asyncio.run(examine(Wish(file, unit_only)))
    if shell.json:
        shell.say_json(as_document(findings, masked))
    else:
        shell.say(as_lines(findings, masked, quiet=shell.quiet))
    if any(finding.level is Level.FAILED for finding in findings):
        sys.exit(Exit.ERROR)


@verb("init")
@click.option(
    "--to",
    "target",
    default="/etc/bluegreen/bluegreen.toml",
    show_default=True,
    metavar="FILE",
    help='Where to write it; "-" to stdout.',
)
@click.option("--caddy", "admin", default="", metavar="URL", help="Caddy's admin endpoint, where it is no usual one.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look for compose files and the like here alone, and not in the usual places.",
)
@click.option("--force", is_flag=True, help="Write over a file that exists.")
def init(shell: Shell, target: str, admin: str, directory: Path | None, force: bool) -> None:
    """Look at what is there, and write a configuration that only observes. Changes nothing else."""
    import asyncio

    from bluegreen.domain.errors import BluegreenError
    from bluegreen.init import Wish, as_toml, keep, next_steps, survey
    from bluegreen.interfaces import text
    from bluegreen.settings.sections import check_endpoint

    admin = admin.partition("|")[0]  # the rights of a socket, as they stand in a Caddyfile
    try:
        admin = check_endpoint(admin) if admin else ""
    except ValueError as exc:
        shell.fail(f"--caddy: {exc}", ("bluegreen init --help",), Exit.USAGE)
    file = None if target == "-" else Path(target)
    drafted = as_toml(asyncio.run(survey(Wish(admin=admin, directory=directory))))
    if file is None:
        click.echo(drafted, nl=False)
        return
    try:
        written = keep(drafted, file, force=force)
    except BluegreenError as exc:
        shell.fail(exc.detail, exc.next, of_error(exc))
    steps = next_steps(written.file)
    if shell.json:
        shell.say_json({"file": str(written.file), "warnings": list(written.warnings), "next": list(steps)})
        return
    warned = [f"! {warning}" for warning in written.warnings]
    shell.say([*warned, f'✔ {written.file} is written; automation = "observe": nothing is done', *text.commands(steps)])


@click.group("config")
def config() -> None:
    """The configuration: is it right, what is in force, what does a key mean."""


config.params += global_options()
config.command_class = Verb


@verb("check")
@config_option
def check(shell: Shell, file: Path) -> None:
    """Read the configuration and say everything that is wrong with it."""
    settings = _load(shell, file)
    if shell.json:
        shell.say_json({"file": str(file), "problems": [], "warnings": list(settings.warnings)})
        return
    shell.say([*(f"! {warning}" for warning in settings.warnings), f"✔ {file} is in order"])


@verb("show")
@config_option
def show(shell: Shell, file: Path) -> None:
    """The configuration in force, defaults included; secrets are masked."""
    from bluegreen.settings import masked

    document = masked(_load(shell, file))
    if shell.json:
        shell.say_json(document)
    else:
        shell.say(_settings_lines("", document))


@verb("docs")
@click.argument("key", required=False)
def docs(shell: Shell, key: str | None) -> None:
    """Every key and what it means; with KEY that key, or that section."""
    from bluegreen.domain.errors import ConfigurationError
    from bluegreen.settings import documentation, documented

    try:
        entries = documented(key) if key else documentation()
    except ConfigurationError as exc:
        shell.fail(exc.detail, exc.next, of_error(exc))
    if shell.json:
        shell.say_json([entry._asdict() for entry in entries])
    else:
        shell.say(line for entry in entries for line in _entry_lines(entry))


@verb("schema")
def schema(shell: Shell) -> None:
    """The configuration as JSON Schema, for editors and other programs."""
    from bluegreen.settings import json_schema

    shell.say_json(json_schema())


def _load(shell: Shell, file: Path) -> "Settings":
    """The settings; where they cannot be used, every reason and the end."""
    from bluegreen.domain.errors import ConfigurationError
    from bluegreen.settings import load

    try:
        return load(file)
    except ConfigurationError as exc:
        if shell.json:
            shell.say_json({"file": str(file), "problems": exc.facts.get("problems", []), "warnings": []})
        shell.fail(exc.detail, exc.next, of_error(exc))


def _terms(shell: Shell, file: Path | None) -> "Terms":
    """How a configuration has releases judged, or the defaults; where it cannot be used, every reason and the end."""
    from bluegreen.domain.errors import ConfigurationError
    from bluegreen.settings.watched import terms_of

    try:
        return terms_of(file)
    except ConfigurationError as exc:
        shell.fail(exc.detail, exc.next, of_error(exc))


def _settings_lines(path: str, value: Any) -> Iterable[str]:
    """One line a key: `watch.window = "30m"`."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _settings_lines(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _settings_lines(f"{path}[{index}]", item)
    else:
        yield f"{path} = {json.dumps(value, ensure_ascii=False)}"


def _entry_lines(entry: "Entry") -> Iterable[str]:
    """A heading for a section; for a key what it is, what it is without being said, and what it means."""
    if entry.is_section:
        return [
            "",
            f"{click.style(f'[{entry.key}]', bold=True)}  {entry.type}, {entry.default}",
            f"  {entry.description}",
        ]
    otherwise = entry.default if entry.default in ("required", "not set") else f"default: {entry.default}"
    return [f"  {click.style(entry.key, bold=True)}  {entry.type}; {otherwise}", f"      {entry.description}"]


for part in (check, show, docs, schema):
    config.add_command(part)
bluegreen.add_command(config)
for part in (replaying(_terms), init, serve, demo, doctor):
    bluegreen.add_command(part)

if __name__ == "__main__":
    main()
