"""The configuration as text: every value with where it comes from, guesses marked, the rest commented out."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bluegreen.domain.traffic import Colour
from bluegreen.init.draft import Conclusion, Draft, Run, conclude
from bluegreen.init.found import Machine
from bluegreen.init.text_data import data_lines, worker_lines
from bluegreen.init.toml import comment, quoted, quoted_list

GUESS = "GUESS, look at it"
"""What stands where a value is made up."""


def as_toml(machine: Machine) -> str:
    """A configuration that passes `bluegreen config check` as it stands."""
    found = conclude(machine)
    lines = [
        *_head(machine),
        "",
        f"project = {quoted(found.project)}",
        "",
        '# Nothing is done: the daemon watches, plans, and says what it would have done. With "act" it does it.',
        'automation = "observe"',
        "",
        *_caddy(machine, found),
        *_services(found),
        *worker_lines(found),
        *_environments(found),
        *data_lines(machine, found),
    ]
    return "\n".join(lines) + "\n"


def _head(machine: Machine) -> Iterator[str]:
    yield "# Written by `bluegreen init`, from what it found on this machine. Nothing else was changed."
    yield "#"
    yield f'# Look through it: what is marked "{GUESS}" is made up. Every key: bluegreen config docs'
    yield "#"
    yield "# It was looked at:"
    yield from (comment(f"  {looked}") for looked in machine.looked)
    for stack in machine.stacks:
        if stack.problem:
            yield comment(f"  {stack.directory / stack.files[0]}: not understood, {stack.problem}")
    if machine.caddy is not None and machine.caddy.odd:
        yield comment(f"  left out, since these are no addresses: {', '.join(machine.caddy.odd[:5])}")


def _caddy(machine: Machine, found: Conclusion) -> Iterator[str]:
    seen = machine.caddy
    yield "[caddy]"
    if seen is None:
        yield "# No Caddy answered. This is where it answers by default."
        yield f'#admin = "http://127.0.0.1:2019"   # {GUESS}'
    else:
        yield comment("it answers there")
        yield f"admin = {quoted(seen.admin)}"
        yield from _reach(seen.admin, machine)
    yield ""
    if found.front_door:
        yield comment(f"Caddy's listener for {found.services[0].site or 'these routes'}")
        yield f"front_door = {quoted(found.front_door)}"
        yield ""
    yield from _log(machine)


def _reach(admin: str, machine: Machine) -> Iterator[str]:
    """How users are moved, for where this Caddy is."""
    host = urlsplit(admin).hostname if admin.startswith("http") else ""
    here = not host or host in ("localhost", "::1") or host.startswith("127.")
    yield ""
    if not here:
        yield "# Plain HTTP without authentication: better is a socket that ssh forwards."
        yield "allow_remote_admin = true"
        yield "# Caddy is on another machine, so that its configuration is rewritten for each switch."
        yield 'mode = "rewrite"'
        return
    yield "# Caddy is on this machine: a switch then replaces one small file, and no request is lost. Set up once, by"
    yield '# `bluegreen caddy arm`, when you act. With "rewrite" each switch makes Caddy load its configuration again,'
    yield "# which closes connections that are kept alive."
    if not machine.caddy_directory:
        yield "# The directory for it is to be made, writable by the daemon and readable by Caddy:"
        yield "#   install -d -o bluegreen -g caddy -m 0750 /etc/caddy/bluegreen"
        yield '# A Caddy in a container needs it as a volume, at the same path; else write "rewrite".'
    yield 'mode = "pointer"'


def _log(machine: Machine) -> Iterator[str]:
    seen = machine.caddy
    if seen is not None and seen.log and seen.tells_upstream:
        yield "# from Caddy's configuration; its lines say who answered"
        yield f"access_log = {quoted(seen.log)}"
    elif seen is not None and seen.log:
        yield "# Caddy writes this log, but not who answered. Add to each site, then take the # away:"
        yield "#   log_append upstream {http.reverse_proxy.upstream.hostport}"
        yield comment(f"access_log = {quoted(seen.log)}", "#")
    else:
        yield "# No access log in JSON was found; without one users are not watched, probes alone: Caddyfile.example"
        yield '#access_log = "/var/log/caddy/access.log"'
    yield ""


def _services(found: Conclusion) -> Iterator[str]:
    yield ""
    yield comment(f"{found.live} is live: {found.live_why}.")
    if found.found_services:
        yield "# All that Caddy routes stands here: take out what is no part of the stack that is deployed."
    for draft in found.services:
        yield from _service(draft, found)


def _service(draft: Draft, found: Conclusion) -> Iterator[str]:
    yield ""
    yield "[[services]]"
    yield from (comment(f"from {why}") for why in draft.why)
    yield f"name = {quoted(draft.name)}"
    if draft.site:
        yield f"site = {quoted(draft.site)}"
    if draft.scheme != "http":
        yield f"scheme = {quoted(draft.scheme)}"
    for colour in Colour:
        if colour is found.live:
            if not found.found_services:
                yield comment(f"{GUESS}: {draft.guess}")
            yield f"{colour} = {quoted_list(draft.live)}"
        else:
            mark = f"{GUESS}: {draft.guess}" if draft.guess else ""
            yield comment("; ".join(filter(None, [mark, draft.idle_why])))
            yield f"{colour} = {quoted_list(draft.idle)}"
    if draft.ready == "/":
        yield f"# {GUESS}: a path that answers 200 when the service can serve"
    yield f"ready.path = {quoted(draft.ready)}"
    if draft.every_route:
        yield "# several routes go there, and all of them are switched"
        yield "every_route = true"
    yield "# where an answer tells its version, so that a wrong one is noticed"
    yield '#version = "header:X-Version"'


def _environments(found: Conclusion) -> Iterator[str]:
    yield ""
    for colour in Colour:
        yield ""
        yield f"[environments.{colour}]"
        yield from _run(found.runs[colour], colour)
        if colour is found.live:
            yield "# the release that it runs now; without it the first plan says that nobody knows"
            yield '#release = "1.0.0"'


def _run(run: Run, colour: Colour) -> Iterable[str]:
    yield comment(f"from {run.why}" if run.kind != "command" else run.why)
    if run.kind == "systemd":
        yield 'runner = "systemd"'
        yield f"systemd.units = {quoted_list(run.units)}"
    elif run.kind == "compose":
        yield 'runner = "compose"'
        if run.guess:
            yield comment(
                f"{GUESS}: nothing there is {colour}'s own; give it ports and names of its own, say by env_files"
            )
        yield f"directory = {quoted(str(run.directory))}"
        yield f"compose.files = {quoted_list(run.files)}"
        if run.env_files:
            yield f"env_files = {quoted_list(map(str, run.env_files))}"
        elif run.directory is not None:
            yield comment(f"env_files = {quoted_list([str(Path(run.directory) / f'.env.{colour}')])}", "#")
    else:
        yield f"# {GUESS}: what brings {{release}} up on {{colour}}, and what stops it"
        yield 'up = ["systemctl", "start", "app@{colour}"]'
        yield 'down = ["systemctl", "stop", "app@{colour}"]'
