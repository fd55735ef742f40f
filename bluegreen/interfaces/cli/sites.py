"""The verbs of `site`: a host name set up at Caddy once, with its route and its certificate."""

import sys
from typing import Any

import click

from bluegreen.interfaces import site_lines
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import group, word_of
from bluegreen.interfaces.cli.shell import Shell, verb

LEFT = ("It goes on in the daemon without you.", ("bluegreen site show",))

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


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
    if bool(rest["service"]) == bool(dials):
        raise click.UsageError("give one of --service and --to")
    shell.remark(site_lines.COST)
    _agree(shell, f"Add {rest['host']}?", f"add {name} --host {rest['host']} … -y", yes)
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
    _agree(shell, f"Remove {name}?", f"remove {name} -y", yes)
    shell.left = LEFT
    shell.show(shell.ask(lambda client: client.remove_site(name, reason, force=force)), site_lines.removed_lines)


def _agree(shell: Shell, question: str, words: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("this asks first, and here is no terminal to ask on: say -y")
    if not click.confirm(question, default=False, err=shell.json):
        shell.fail("Nothing was done.", (f"bluegreen site {words}",), Exit.ERROR)


site = group("site", "Host names set up at Caddy once.", site_add, site_show, site_remove)
