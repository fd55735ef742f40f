"""The floors of the architecture: what each may import, checked in every file, also in imports inside functions.

A floor imports only what is below it; adapters never import each other; `wiring` alone imports adapters.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import bluegreen

ROOT = Path(bluegreen.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# fmt: off
PURE = frozenset({
    "abc", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib",
    "heapq", "html", "itertools", "json", "math", "operator", "re", "statistics", "string", "types", "typing",
})
# fmt: on
"""Modules of the standard library that know no clock, no input and no output."""

TELLS_TIME = frozenset({"now", "today", "utcnow"})
"""What datetime can do and the domain may not."""

STDLIB = frozenset(sys.stdlib_module_names)


@dataclass(frozen=True)
class Floor:
    """What a floor may import: packages of ours (with all in them), and modules of others (None: any but `never`)."""

    ours: tuple[str, ...]
    others: frozenset[str] | None = None
    never: frozenset[str] = frozenset()


FOR_PEOPLE = frozenset({"rich", "click"})
"""Libraries that talk to people at a terminal: `rich` belongs to the interfaces, `click` to them and to what stands on
top of them."""

BASE, DOMAIN, PORTS = "bluegreen", "bluegreen.domain", "bluegreen.ports"
PORTS_DATABASE, PORTS_TRAFFIC = "bluegreen.ports_database", "bluegreen.ports_traffic"
PORTS_STACK, HOSTS, SSH = "bluegreen.ports_stack", "bluegreen.hosts", "bluegreen.ssh"
SSH_SCRIPT, SSH_WORDS = "bluegreen.ssh_script", "bluegreen.ssh_words"
ON_HOSTS = "bluegreen.wiring_hosts"
RUNNERS, STACK = "bluegreen.wiring_runners", "bluegreen.wiring_stack"
APP, INTERFACES, SETTINGS = "bluegreen.app", "bluegreen.interfaces", "bluegreen.settings"
PROCESSES, FINISHING, LOGS = "bluegreen.processes", "bluegreen.finishing", "bluegreen.logs"
SYSTEMD = "bluegreen.systemd"
WIRING, DAEMON, OFFLINE = "bluegreen.wiring", "bluegreen.daemon", "bluegreen.offline"
POLLED, LOG_LINES = "bluegreen.wiring_polled", "bluegreen.wiring_log_lines"
AT_THE_DOOR, BALANCER = "bluegreen.wiring_front_door", "bluegreen.wiring_balancer"
AFTER = "bluegreen.wiring_after"
CLOUDFLARE, TRAEFIK = "bluegreen.wiring_cloudflare", "bluegreen.wiring_traefik"
CHECKS, SIGNALS, DOCTOR = "bluegreen.wiring_checks", "bluegreen.wiring_signals", "bluegreen.doctor"
ADAPTERS, DEMO = "bluegreen.adapters", "bluegreen.demo"
INIT = "bluegreen.init"

EVERY_PORT = (PORTS, PORTS_DATABASE, PORTS_TRAFFIC, PORTS_STACK)

FLOORS = {
    BASE: Floor((), frozenset()),
    DOMAIN: Floor((DOMAIN,), PURE),
    PORTS: Floor((DOMAIN,), PURE | {"contextlib"}),
    PORTS_DATABASE: Floor((PORTS, DOMAIN), PURE | {"contextlib"}),
    PORTS_TRAFFIC: Floor((DOMAIN,), PURE),
    PORTS_STACK: Floor((DOMAIN,), PURE),
    PROCESSES: Floor((DOMAIN,), STDLIB),
    HOSTS: Floor((DOMAIN, PROCESSES), STDLIB),
    SSH: Floor((DOMAIN, PROCESSES, HOSTS, SSH_SCRIPT, SSH_WORDS), STDLIB),
    SSH_SCRIPT: Floor((), STDLIB),
    SSH_WORDS: Floor((PROCESSES,), STDLIB),
    FINISHING: Floor((DOMAIN,), STDLIB),
    LOGS: Floor((), STDLIB | {"structlog"}),
    SYSTEMD: Floor((DOMAIN,), STDLIB),
    SETTINGS: Floor((SETTINGS, DOMAIN, PROCESSES, LOGS), never=FOR_PEOPLE | {"aiohttp", "asyncpg"}),
    ADAPTERS: Floor((*EVERY_PORT, DOMAIN, PROCESSES, HOSTS, FINISHING), never=FOR_PEOPLE),
    APP: Floor((APP, DOMAIN, *EVERY_PORT, FINISHING), STDLIB | {"structlog", "tenacity", "msgspec"}),
    INTERFACES: Floor((INTERFACES, APP, DOMAIN), never=frozenset({"asyncpg", "sqlite3"})),
    CHECKS: Floor((ADAPTERS, DOMAIN, PORTS, PORTS_DATABASE, PORTS_STACK, SETTINGS), never=FOR_PEOPLE),
    AFTER: Floor((CHECKS, ADAPTERS, DOMAIN, PORTS, SETTINGS), never=FOR_PEOPLE),
    POLLED: Floor((CHECKS, ADAPTERS, DOMAIN, PORTS, SETTINGS), never=FOR_PEOPLE),
    LOG_LINES: Floor((CHECKS, RUNNERS, ADAPTERS, DOMAIN, PORTS, SETTINGS, LOGS), never=FOR_PEOPLE),
    AT_THE_DOOR: Floor((CHECKS, ADAPTERS, DOMAIN, PORTS, SETTINGS), never=FOR_PEOPLE),
    SIGNALS: Floor((CHECKS, POLLED, LOG_LINES, AT_THE_DOOR, ADAPTERS, DOMAIN, PORTS, SETTINGS), never=FOR_PEOPLE),
    CLOUDFLARE: Floor((ADAPTERS, DOMAIN, PORTS, SETTINGS), never=FOR_PEOPLE),
    TRAEFIK: Floor((ADAPTERS, DOMAIN, PORTS, SETTINGS), never=FOR_PEOPLE),
    BALANCER: Floor((CLOUDFLARE, TRAEFIK, ADAPTERS, DOMAIN, PORTS, PORTS_TRAFFIC, SETTINGS), never=FOR_PEOPLE),
    ON_HOSTS: Floor((DOMAIN, SETTINGS, HOSTS, SSH), never=FOR_PEOPLE),
    RUNNERS: Floor((ON_HOSTS, CHECKS, ADAPTERS, DOMAIN, PORTS, PORTS_STACK, SETTINGS, HOSTS), never=FOR_PEOPLE),
    STACK: Floor((ON_HOSTS, RUNNERS, ADAPTERS, DOMAIN, PORTS, PORTS_STACK, SETTINGS, HOSTS), never=FOR_PEOPLE),
    WIRING: Floor(
        (
            *(BALANCER, RUNNERS, STACK, AFTER, CHECKS, AT_THE_DOOR, POLLED, LOG_LINES, SIGNALS, ADAPTERS),
            *(APP, DOMAIN, *EVERY_PORT, INTERFACES, SETTINGS, LOGS),
        ),
        never=FOR_PEOPLE,
    ),
    DAEMON: Floor((WIRING, APP, DOMAIN, INTERFACES, SETTINGS, LOGS, SYSTEMD), never=FOR_PEOPLE),
    DEMO: Floor((DEMO, DOMAIN, PORTS, PROCESSES, INTERFACES, SETTINGS, LOGS, DAEMON), never=frozenset({"rich"})),
    DOCTOR: Floor(
        (
            DOCTOR,
            WIRING,
            RUNNERS,
            APP,
            DOMAIN,
            PORTS,
            PORTS_DATABASE,
            PORTS_TRAFFIC,
            INTERFACES,
            SETTINGS,
            LOGS,
            SYSTEMD,
            PROCESSES,
        ),
        never=FOR_PEOPLE,
    ),
    INIT: Floor((INIT, DOMAIN, SETTINGS), never=FOR_PEOPLE),
    OFFLINE: Floor((WIRING, APP, DOMAIN, *EVERY_PORT, INTERFACES, SETTINGS), never=FOR_PEOPLE),
    "bluegreen.__main__": Floor(
        (DEMO, DAEMON, OFFLINE, DOCTOR, INIT, WIRING, INTERFACES, SETTINGS, LOGS, APP, DOMAIN),
        never=frozenset({"rich"}),
    ),
}
"""Everyone may import `bluegreen` itself: it holds nothing but the version."""


JOINED = {
    "migrations": ("postgres",),
    "signals": ("postgres",),
    "backups": ("postgres",),
    "rehearsal": ("postgres", "migrations"),
    "database": ("postgres", "migrations", "backups", "rehearsal"),
    "sites": ("balancers",),
    "checks": ("front_doors",),
}
"""The families that stand on others: together they are the port of the shared database, and signals are read there; and
a flow is walked past the balancer as it is walked through it."""


def floor_of(module: str) -> tuple[str, Floor]:
    """The floor a module stands on: the longest of their names that it begins with."""
    name = max((floor for floor in FLOORS if _within(module, floor)), key=len)
    return name, FLOORS[name]


def violations(module: str, source: str) -> list[str]:
    """What a module imports against the rules of its floor, one line each."""
    name, floor = floor_of(module)
    ours = (*floor.ours, *_families(module)) if name == ADAPTERS else floor.ours
    tree = ast.parse(source)
    found = []
    for line, imported in _imports(tree, module):
        if not _allowed(imported, floor, ours):
            found.append(f"{module}:{line} imports {imported}; {name} may import {_rules(floor, ours)}")
    if name == DOMAIN:
        found += [
            f"{module}:{line} asks for the time; in the domain it comes in as an argument" for line in _clocks(tree)
        ]
    return found


def _allowed(imported: str, floor: Floor, ours: tuple[str, ...]) -> bool:
    top = imported.partition(".")[0]
    if top == BASE:
        return imported == BASE or any(_within(imported, package) for package in ours)
    return top not in floor.never and (floor.others is None or top in floor.others)


def _rules(floor: Floor, ours: tuple[str, ...]) -> str:
    if floor.others is not None and not floor.others >= STDLIB:
        others = "pure modules of the standard library"
    elif floor.others is not None:
        others = f"the standard library, {', '.join(sorted(floor.others - STDLIB))}"
    else:
        others = f"others' modules but {', '.join(sorted(floor.never))}"
    return f"{', '.join(ours) or 'nothing of ours'} and {others}"


def _families(module: str) -> tuple[str, ...]:
    """`bluegreen.adapters.journals` of `bluegreen.adapters.journals.sqlite`, and those that it stands on."""
    family = ".".join(module.split(".")[:3])
    return family, *(f"{ADAPTERS}.{below}" for below in JOINED.get(family.rpartition(".")[2], ()))


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _imports(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, name) for name in _imported_from(node, module))
        elif isinstance(node, ast.Call) and _is_import_module(node.func):
            yield from ((node.lineno, text.rstrip(".")) for text in _beginning(node.args[0]))


def _imported_from(node: ast.ImportFrom, module: str) -> list[str]:
    """`from a.b import c` may import the module a.b.c or a name of a.b: a.b.c decides where it is a file of ours."""
    package = module.split(".")[: -node.level] if node.level else []
    origin = ".".join([*package, *([node.module] if node.module else [])])
    names = [f"{origin}.{alias.name}" for alias in node.names]
    return [name if _is_file(name) else origin for name in names]


def _is_file(module: str) -> bool:
    path = ROOT.parent.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _is_import_module(function: ast.expr) -> bool:
    return "import_module" in (getattr(function, "id", ""), getattr(function, "attr", ""))


def _beginning(argument: ast.expr) -> list[str]:
    """What is known of a name that is put together: its constant beginning."""
    first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
    return [str(first.value)] if isinstance(first, ast.Constant) else []


def _clocks(tree: ast.AST) -> list[int]:
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in TELLS_TIME]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_a_file_imports_only_what_is_below_it(path: Path) -> None:
    found = violations(_module(path), path.read_text())
    assert not found, "\n".join(found)


def test_every_package_has_its_floor_and_no_file_stands_beside_them() -> None:
    tops = {".".join(_module(path).split(".")[:2]) for path in FILES}
    assert tops <= FLOORS.keys(), f"say in FLOORS what {', '.join(sorted(tops - FLOORS.keys()))} may import"


def test_only_wiring_may_import_adapters() -> None:
    assert [name for name, floor in FLOORS.items() if ADAPTERS in floor.ours] == [
        CHECKS,
        AFTER,
        POLLED,
        LOG_LINES,
        AT_THE_DOOR,
        SIGNALS,
        CLOUDFLARE,
        TRAEFIK,
        BALANCER,
        RUNNERS,
        STACK,
        WIRING,
    ]


BROKEN = {
    "the domain runs tasks": ("bluegreen.domain.phases", "import asyncio"),
    "the domain reads the clock": ("bluegreen.domain.phases", "from time import monotonic"),
    "the domain asks datetime for the time": ("bluegreen.domain.plans", "datetime.now(UTC)"),
    "the domain does input and output": ("bluegreen.domain.plans", "from pathlib import Path"),
    "the domain logs": ("bluegreen.domain.plans", "import logging"),
    "the domain imports the ports": ("bluegreen.domain.plans", "from bluegreen.ports import Clock"),
    "the domain imports a library": ("bluegreen.domain.plans", "import msgspec"),
    "the ports import an adapter": ("bluegreen.ports", "from bluegreen.adapters.clock import SystemClock"),
    "an adapter imports another family": (
        "bluegreen.adapters.signals.probes",
        "from bluegreen.adapters.front_doors.http import HttpFrontDoor",
    ),
    "an adapter imports another family as a package": (
        "bluegreen.adapters.signals.probes",
        "from bluegreen.adapters import front_doors",
    ),
    "an adapter imports another family relatively": (
        "bluegreen.adapters.signals.probes",
        "from ..front_doors import http",
    ),
    "an adapter imports the app": ("bluegreen.adapters.journals.sqlite", "from bluegreen.app.run import Run"),
    "an adapter prints": ("bluegreen.adapters.journals.sqlite", "from rich.console import Console"),
    "the app imports an adapter": ("bluegreen.app.engine", "from bluegreen.adapters.clock import SystemClock"),
    "the app imports the settings": ("bluegreen.app.engine", "import bluegreen.settings"),
    "the app imports an interface": ("bluegreen.app.engine", "from bluegreen.interfaces.api import make_api"),
    "the app speaks HTTP": ("bluegreen.app.engine", "from aiohttp import web"),
    "the app speaks SQL": ("bluegreen.app.engine", "import asyncpg"),
    "the app hides an import in a function": (
        "bluegreen.app.engine",
        "def f() -> None:\n    if True:\n        import aiohttp",
    ),
    "the app puts a module's name together": ("bluegreen.app.engine", "import_module(f'bluegreen.adapters.{x}')"),
    "an interface imports an adapter": (
        "bluegreen.interfaces.cli.offline",
        "from bluegreen.adapters.cards.file import FileCards",
    ),
    "an interface imports the wiring": ("bluegreen.interfaces.api", "from bluegreen import wiring"),
    "an interface reads the settings": ("bluegreen.interfaces.cli.shell", "import bluegreen.settings.loading"),
    "the daemon imports an adapter": ("bluegreen.daemon", "from bluegreen.adapters.clock import SystemClock"),
    "the daemon prints": ("bluegreen.daemon", "import rich"),
    "the demonstration imports an adapter": ("bluegreen.demo.stage", "import bluegreen.adapters.balancers.caddy"),
    "the settings import the app": ("bluegreen.settings.model", "from bluegreen.app import planning"),
}
FINE = {
    "an adapter imports its own family": (
        "bluegreen.adapters.balancers.caddy",
        "from bluegreen.adapters.balancers import addresses",
    ),
    "the wiring imports an adapter": ("bluegreen.wiring", "from bluegreen.adapters.clock import SystemClock"),
    "anyone asks for the version": ("bluegreen.adapters.front_doors.http", "from bluegreen import __version__"),
    "the app retries": ("bluegreen.app.switch", "import asyncio\nfrom tenacity import AsyncRetrying"),
    "a command of the CLI is imported late": (
        "bluegreen.interfaces.cli.verbs",
        "import_module(f'bluegreen.interfaces.cli.{name}')",
    ),
}


@pytest.mark.parametrize(("module", "source"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_floor_is_found(module: str, source: str) -> None:
    assert violations(module, f"import dataclasses\n{source}\n")


@pytest.mark.parametrize(("module", "source"), FINE.values(), ids=FINE.keys())
def test_what_is_allowed_is_not_complained_about(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_a_complaint_names_file_line_import_and_rule() -> None:
    (found,) = violations("bluegreen.app.engine", "import asyncio\n\nimport aiohttp\n")
    assert found == (
        "bluegreen.app.engine:3 imports aiohttp; bluegreen.app may import bluegreen.app, bluegreen.domain,"
        " bluegreen.ports, bluegreen.ports_database, bluegreen.ports_traffic, bluegreen.ports_stack,"
        " bluegreen.finishing and the standard library, msgspec, structlog, tenacity"
    )
