"""The verbs of `site`: a host name set up at Caddy once, with its route and its certificate."""

import shlex
import sys
from typing import Any

import click

from bluegreen.interfaces import site_lines
from bluegreen.interfaces.cli.asking import agree, yes_option
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import group, word_of
from bluegreen.interfaces.cli.shell import Shell, verb

LEFT = ("It goes on in the daemon without you.", ("bluegreen site show",))


@verb("add")
@click.argument("name")
@click.option("--host", required=True, help="The host name that users ask for.")
@click.option("--service", help="Send them to the live colour of this service; a switch moves them.")
@click.option("--to", "dials", metavar="HOST:PORT", multiple=True, help="Or send them here; may be given again.")
@click.option("--scheme", type=click.Choice(["http", "https"]), help="How those addresses are spoken to.")
@click.option("--listen", help="Refuse unless Caddy listens here, as it writes it (:443).")
@click.option("--tls", type=click.Choice(["auto", "internal"]), default="auto", show_default=True,
              help="The certificate: as Caddy's other sites have it, or from Caddy's own authority.")  # fmt: skip
@yes_option
@reason_option
def site_add(shell: Shell, name: str, yes: bool, dials: tuple[str, ...], **rest: Any) -> None:
    """Set up a host name at Caddy: a route and a certificate. Needs a TCP admin endpoint. It loads Caddy's whole
    configuration anew, which closes idle keep-alive connections."""
    word_of(name)
    if bool(rest["service"]) == bool(dials):
        raise click.UsageError("give one of --service and --to")
    shell.remark(site_lines.COST)
    agree(shell, f"Add {rest['host']}?", _again(name, rest, dials), yes)
    shell.left = LEFT
    body = {key: value for key, value in rest.items() if value} | {"name": name, "dials": list(dials)}
    shell.show(shell.ask(lambda client: client.add_site(body)), site_lines.added_lines)


@verb("show")
@click.argument("name", required=False, default="")
def site_show(shell: Shell, name: str) -> None:
    """The sites that were added, or site NAME: where they go, and what a change left that was cut off."""
    reply = shell.ask(lambda client: client.sites())
    shell.show(reply, lambda found: site_lines.sites_lines(found, name))
    if name and not any(name in (shown.site.name, shown.site.host) for shown in reply.value.items):
        sys.exit(Exit.ERROR)


@verb("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also one that users of a service come by, or that was not added here.")
@yes_option
@reason_option
def site_remove(shell: Shell, name: str, force: bool, yes: bool, reason: str) -> None:
    """Take a site away; the rest of Caddy's configuration stays as it is. One load of it, as for `add`."""
    word_of(name)
    shell.remark(site_lines.COST)
    agree(shell, f"Remove {name}?", f"bluegreen site remove {name}{' --force' if force else ''} -y", yes)
    shell.left = LEFT
    shell.show(shell.ask(lambda client: client.remove_site(name, reason, force=force)), site_lines.removed_lines)


def _again(name: str, said: dict[str, Any], dials: tuple[str, ...]) -> str:
    """The verb as it was typed, without the question."""
    usual = {"tls": "auto", "reason": ""}
    options = [f"--{key} {shlex.quote(value)}" for key, value in said.items() if value and usual.get(key) != value]
    return " ".join(["bluegreen site add", name, *options, *(f"--to {dial}" for dial in dials), "-y"])


site = group("site", "Host names set up at Caddy once.", site_add, site_show, site_remove)
