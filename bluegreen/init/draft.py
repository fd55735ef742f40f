"""What is concluded from what was found: services with the addresses of both colours, and how a colour is run. Each
conclusion says where it comes from, and what is only guessed says so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bluegreen.domain.traffic import Colour
from bluegreen.init.aside import WORKER, dsn_names, workers
from bluegreen.init.found import Machine, Proxied, colour_in, colourless, recoloured
from bluegreen.init.names import named, project_of, unique
from bluegreen.init.owners import Owner, owner_of, owners_of, port_of

STEPS = (1000, -1000, 100, -100, 10_000)
"""How far the ports of the colours usually are from each other."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One service to be written. `guess`: why the idle addresses are made up; "" where they were found."""

    name: str
    live: tuple[str, ...]
    idle: tuple[str, ...]
    site: str = ""
    scheme: str = "http"
    ready: str = "/"
    every_route: bool = False
    why: tuple[str, ...] = ()
    idle_why: str = ""
    guess: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """How one colour is run: `kind` as the key `runner`; what is not of that kind is empty."""

    kind: str
    why: str
    directory: Path | None = None
    files: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    units: tuple[str, ...] = ()
    guess: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """All that is written. `live` is the colour that serves now, `live_why` where that comes from."""

    project: str
    live: Colour
    live_why: str
    services: tuple[Draft, ...]
    runs: Mapping[Colour, Run]
    front_door: str = ""
    workers: tuple[tuple[str, str], ...] = ()
    dsn: tuple[tuple[str, str], ...] = ()
    found_services: bool = True


def conclude(machine: Machine) -> Conclusion:
    """What the findings mean, as far as they mean anything."""
    owners = owners_of(machine)
    routed = _groups(machine.caddy.proxied if machine.caddy else ())
    live, live_why = _live(routed, owners)
    drafts: list[Draft] = []
    used = {port_of(dial) for group in routed for dial in group[0].dials}
    for group in routed:
        drafts.append(_service(group, owners, live, machine, used, {draft.name for draft in drafts}))
    if not routed:
        drafts = list(_unrouted(owners, live))
    first = routed[0][0] if routed else None
    return Conclusion(
        project=project_of([draft.site for draft in drafts], machine),
        live=live,
        live_why=live_why,
        services=tuple(drafts) or (_example(),),
        runs={colour: _run(machine, colour) for colour in Colour},
        front_door=first.front_door if first is not None else "",
        workers=tuple(workers(machine)),
        dsn=tuple(dsn_names(machine)),
        found_services=bool(drafts),
    )


def _groups(proxied: Iterable[Proxied]) -> list[list[Proxied]]:
    """Routes that dial the same addresses are one service."""
    groups: dict[frozenset[str], list[Proxied]] = {}
    for each in proxied:
        groups.setdefault(frozenset(each.dials), []).append(each)
    return list(groups.values())


def _live(routed: list[list[Proxied]], owners: list[Owner]) -> tuple[Colour, str]:
    for group in routed:
        for dial in group[0].dials:
            if (colour := colour_in(dial)) is not None:
                return colour, f"Caddy dials {dial}"
            owner = owner_of(dial, owners)
            if owner is not None and owner.colour is not None:
                return owner.colour, f"Caddy dials {dial}, which is published by {owner.where}"
    return Colour.BLUE, "what serves now is called blue, since nothing gives it another name"


def _service(
    group: list[Proxied],
    owners: list[Owner],
    live: Colour,
    machine: Machine,
    used: set[int],
    taken: set[str],
) -> Draft:
    route = group[0]
    own = [owner_of(dial, owners) for dial in route.dials]
    colours = {dial: colour_in(dial) or (o.colour if o else None) for dial, o in zip(route.dials, own, strict=True)}
    serving = tuple(dial for dial in route.dials if colours[dial] in (None, live)) or route.dials
    beside = tuple(dial for dial in route.dials if dial not in serving)
    owner = next((each for each in own if each is not None), None)
    why = tuple(f"{_where(each)} goes to {' '.join(each.dials)}" for each in group)
    draft = Draft(
        name=unique(named(route, owner), taken),
        live=serving,
        idle=beside,
        site=route.host,
        scheme=route.scheme,
        ready=_path(route.health) or (_path(owner.member.health) if owner else "") or "/",
        every_route=len(group) > 1,
        why=(*why, *([owner.where] if owner else [])),
    )
    if beside:
        text = "Caddy dials both colours: take these out of its configuration before the first deployment"
        return replace(draft, idle_why=text)
    return _with_idle(draft, owners, live, machine, used)


def _with_idle(draft: Draft, owners: list[Owner], live: Colour, machine: Machine, used: set[int]) -> Draft:
    """Find where the other colour listens, dial by dial; make it up where nothing tells."""
    idle, whys, guesses = [], [], []
    for dial in draft.live:
        host, _, port = dial.rpartition(":")
        mine = owner_of(dial, owners)
        other = next((each for each in owners if mine is not None and each.is_other_of(mine)), None)
        if colour_in(host) is not None:
            found, why = f"{recoloured(host, live.other)}:{port}", "the same name with the other colour"
        elif other is not None:
            found, why = f"{host}:{other.port.port}", other.where
        else:
            found, why, guess = _made_up(host, int(port), machine, used)
            guesses.append(guess)
        used.add(port_of(found))
        idle.append(found)
        whys.append(why)
    clash = len({*idle, *draft.live}) < len(idle) + len(draft.live)
    if clash:
        idle = [_free(dial.rpartition(":")[0], dial.rpartition(":")[2], used) for dial in draft.live]
        guesses.append("what was found is not apart from the live addresses")
    return replace(
        draft, idle=tuple(idle), idle_why="; ".join(dict.fromkeys(whys)), guess="; ".join(filter(None, guesses))
    )


def _made_up(host: str, port: int, machine: Machine, used: set[int]) -> tuple[str, str, str]:
    for step in STEPS:
        if machine.listening and port + step in machine.listening and port + step not in used:
            return f"{host}:{port + step}", f"somebody listens on port {port + step} of this machine", "is it that?"
    return _free(host, str(port), used), "made up", "nothing tells where it listens"


def _free(host: str, port: str, used: set[int]) -> str:
    """An address that no other one has."""
    candidate = int(port)
    while True:
        candidate = candidate + 1000 if candidate + 1000 < 65_536 else 1024 + (candidate + 1007) % 60_000
        if candidate not in used:
            used.add(candidate)
            return f"{host}:{candidate}"


def _unrouted(owners: list[Owner], live: Colour) -> Iterable[Draft]:
    """Services of stacks in two colours, where no Caddy tells who is routed."""
    taken: set[str] = set()
    for mine in owners:
        other = next((each for each in owners if each.is_other_of(mine)), None)
        if mine.colour is not live or other is None or mine.port.port == other.port.port:
            continue
        name = unique(colourless(mine.member.name) or "web", taken)
        taken.add(name)
        yield Draft(
            name=name,
            live=(f"{mine.port.host}:{mine.port.port}",),
            idle=(f"{other.port.host}:{other.port.port}",),
            ready=_path(mine.member.health) or "/",
            why=(mine.where,),
            idle_why=other.where,
        )


def _example() -> Draft:
    why = "nothing was found that tells what is routed where"
    return Draft("web", ("127.0.0.1:8001",), ("127.0.0.1:9001",), guess=why)


def _run(machine: Machine, colour: Colour) -> Run:
    units = [each for each in machine.templates if each.colours and not WORKER.search(each.name)]
    if units:
        names = tuple(f"{each.name}@{{colour}}.service" for each in units)
        return Run("systemd", ", ".join(str(each.path) for each in units), units=names)
    stacks = [each for each in machine.stacks if each.members]
    own = next((each for each in stacks if each.colour is colour), None) or next(iter(stacks), None)
    if own is None:
        return Run("command", "no compose file and no template unit was found", guess=True)
    shared = own.colour is not colour
    return Run("compose", str(own.directory / own.files[0]), own.directory, own.files, own.env_files, guess=shared)


def _path(text: str) -> str:
    """A path that may be asked for; "" where it is none."""
    path = urlsplit(text).path if text.startswith("/") else ""
    return path if path.isascii() and path.isprintable() and " " not in path else ""


def _where(route: Proxied) -> str:
    return f"{route.host or 'every host'}{' ' + ' '.join(route.paths) if route.paths else ''}"
