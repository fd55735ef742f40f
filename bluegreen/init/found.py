"""What was found, before anything is concluded from it. Frozen facts, each with where it comes from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen.domain.traffic import Colour

WORD = re.compile(r"(?<![a-z])(blue|green)(?![a-z])", re.IGNORECASE)
"""The colour in a name: web-blue, green.env, app@blue; not in "bluetooth"."""


def colour_in(text: str) -> Colour | None:
    """The one colour that a name speaks of; None where it is none, or both."""
    found = {word.lower() for word in WORD.findall(text)}
    return Colour(found.pop()) if len(found) == 1 else None


def recoloured(text: str, colour: Colour) -> str:
    """The same name with the other colour in it."""
    return WORD.sub(colour.value, text)


def colourless(text: str) -> str:
    """The same name without its colour, to compare it with others."""
    return re.sub(r"[-_.@]+", "-", WORD.sub("", text)).strip("-")


@dataclass(frozen=True, slots=True)
class Proxied:
    """One reverse_proxy of Caddy: users of `host` and `paths` go to `dials`. `scheme` is how they are spoken to,
    `health` the path of Caddy's own health check."""

    host: str
    paths: tuple[str, ...]
    dials: tuple[str, ...]
    scheme: str
    front_door: str
    health: str = ""


@dataclass(frozen=True, slots=True)
class CaddySeen:
    """What Caddy's configuration says. `log` is a JSON access log in a file, "" where there is none; `tells_upstream`:
    its lines say who answered. `odd` are upstreams that are no addresses."""

    admin: str
    proxied: tuple[Proxied, ...] = ()
    log: str = ""
    tells_upstream: bool = False
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A port that a compose service publishes: `host` and `port` as users of the machine reach it."""

    host: str
    port: int
    target: int


@dataclass(frozen=True, slots=True)
class Member:
    """One service of a compose project. `dsn` are the names of variables that hold the address of a Postgres, `image`
    is without its tag."""

    name: str
    image: str = ""
    ports: tuple[Published, ...] = ()
    health: str = ""
    profiles: tuple[str, ...] = ()
    dsn: tuple[str, ...] = ()
    container: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """A directory with compose files: its members as they are with the variables of `colour` (None: of nobody)."""

    directory: Path
    files: tuple[str, ...]
    members: tuple[Member, ...]
    env_files: tuple[Path, ...] = ()
    colour: Colour | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A template unit, `name` without "@.service", and the colours of which an instance was seen."""

    name: str
    path: Path
    colours: frozenset[Colour] = frozenset()


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of migrations, and the `tool` that it is for ("sql": files that bluegreen runs itself)."""

    path: Path
    tool: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything that was found. `listening`: ports on which somebody listens, None where nobody could tell. `looked`
    says in words where was looked, and what came of it."""

    caddy: CaddySeen | None = None
    stacks: tuple[Stack, ...] = ()
    templates: tuple[Template, ...] = ()
    migrations: tuple[Directory, ...] = ()
    dsn: Mapping[str, Path] = field(default_factory=dict)
    listening: frozenset[int] | None = None
    looked: tuple[str, ...] = ()
    caddy_directory: bool = False
