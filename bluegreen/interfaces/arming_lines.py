"""How the balancer is set up for a switch, and what arming would write, as lines."""

import re

from bluegreen.app.upkeep_answers import BalancerSetup
from bluegreen.domain.arming import Armed, Arms
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, mark, strong

MARKS = {Armed.KEPT: text.DONE, Armed.OURS: text.WARNING, Armed.OUTDATED: text.FAILED, Armed.BARE: text.NOTHING}

WORD = re.compile(r"(blue|green)(-or-(blue|green)|-[0-9.]+)?(\s|$)")
"""How a line of the pointer file begins; the balancer's own grammar is stricter."""

POINTER, REWRITE = "pointer", "rewrite"


def setup_lines(setup: BalancerSetup) -> list[str]:
    """The mode, the file, each service, and what to type."""
    setup = cleaned(setup)
    if setup.mode != POINTER:
        first = 'Mode "rewrite": a switch rewrites the upstreams of these routes through the admin API.'
        other = f"The balancer is {setup.mode}, which has no arms."
        routes = [f"  {arms.service}  {' '.join(arms.paths)}" for arms in setup.services]
        return [first if setup.mode == REWRITE else other, *routes]
    return [
        f'Mode "pointer": a switch is one rename of {setup.file}.',
        _said(setup.says),
        *[line for arms in setup.services for line in _service(arms)],
        *_advice(setup),
    ]


def _said(says: str | None) -> str:
    if says is None:
        return f"  {mark(text.FAILED)} there is no file"
    if WORD.match(says):
        return f"  the file says {strong(says)}"
    return f'  {mark(text.FAILED)} the file says "{says}", which is no word of ours: users get whichever colour lives'


def _service(arms: Arms) -> list[str]:
    first = f"  {mark(MARKS[arms.armed])} {arms.service} is {arms.armed}"
    return [first, *[f"      {path}" for path in arms.paths], *([f"      {arms.fault}"] if arms.fault else [])]


def _advice(setup: BalancerSetup) -> list[str]:
    if setup.says is None or not all(arms.serves for arms in setup.services):
        return commands(("bluegreen caddy arm",))
    if not WORD.match(setup.says):
        return commands(("bluegreen status",))
    if any(arms.armed is Armed.OURS for arms in setup.services):
        note = "  Armed through the admin API: a `caddy reload` takes that away, unless the Caddyfile has the lines of:"
        return [note, *commands(("bluegreen caddy snippet",))]
    return []


def before_arming(setup: BalancerSetup) -> list[str]:
    """What would be written, and that users stay."""
    setup = cleaned(setup)
    todo = [arms for arms in setup.services if not arms.serves]
    if not todo and setup.says is not None:
        return ["Every service is armed already; it is proved once more.", *setup_lines(setup)]
    lines = ["To be written, in one change; users stay on the colour that serves them:"]
    lines += [f"  {setup.file}"] if setup.says is None else []
    lines += [f"  {arms.service}  {path}  ({arms.armed})" for arms in todo for path in arms.paths]
    return [*lines, "It is one load of Caddy's configuration: idle keep-alive connections are closed."]


def before_disarming(setup: BalancerSetup) -> list[str]:
    """What would be put back, and what stays."""
    setup = cleaned(setup)
    ours = [arms for arms in setup.services if arms.armed in (Armed.OURS, Armed.OUTDATED)]
    kept = [arms.service for arms in setup.services if arms.armed is Armed.KEPT]
    lines = ["To be put back as the Caddyfile has it, dialling the colour that serves now:"] if ours else []
    lines += [f"  {arms.service}  {path}" for arms in ours for path in arms.paths]
    lines += [] if ours or kept else ["No service is armed: there is nothing to put back."]
    lines += [f"  {text.NOTHING} {name} is armed in the Caddyfile: take its import out there" for name in kept]
    return [*lines, "Until it is armed again, or [caddy] mode is another, no deployment starts."] if ours else lines
