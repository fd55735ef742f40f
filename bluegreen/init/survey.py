"""Looks at everything that there is to look at, each part within bounds: nothing is run, and nothing is changed."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bluegreen.init import caddy, compose, env, units
from bluegreen.init.found import Directory, Machine, Stack

USUAL = ("/srv", "/opt", "/home", "/etc/containers")
"""Where stacks usually are."""

DEEPEST, MOST_DIRECTORIES, MOST_STACKS = 3, 3000, 40
SECONDS = 10.0
"""Bounds of the search for files."""

SKIPPED = frozenset({"node_modules", "__pycache__", "vendor", "site-packages", "lost+found"})
SOCKET_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"
"""The state of a listening socket (proc(5))."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to look: at the admin endpoint `admin` ("" the usual ones), in `directory` (None: here, and in the usual
    places); `unit_files` and `running` are directories of systemd's, `caddy_directory` where snippets would lie."""

    admin: str = ""
    directory: Path | None = None
    sockets: tuple[str, ...] = caddy.SOCKETS
    unit_files: tuple[str, ...] = units.DIRECTORIES
    running: tuple[str, ...] = units.RUNNING
    caddy_directory: Path = Path("/etc/caddy/bluegreen")
    usual: tuple[Path, ...] = field(default_factory=lambda: tuple(map(Path, USUAL)))


async def survey(wish: Wish) -> Machine:
    """Everything that was found. Never raises for what is not there, or is not as it should be."""
    seen, tried = await caddy.look(wish.admin, wish.sockets)
    return await asyncio.to_thread(_files, wish, Machine(caddy=seen, looked=tried))


def _files(wish: Wish, machine: Machine) -> Machine:
    roots = (wish.directory,) if wish.directory is not None else (Path.cwd(), *wish.usual)
    stacks: list[Stack] = []
    migrations: list[Directory] = []
    dsn: dict[str, Path] = {}
    for directory in dict.fromkeys(_directories(roots)):
        if len(stacks) < MOST_STACKS:
            stacks += compose.stacks(directory)
        migrations += _migrations(directory)
        for path in env.files_of(directory, None):
            dsn |= {name: path for name, value in env.variables([path]).items() if env.leads_to_postgres(value)}
    found = {each.directory / file for each in stacks for file in each.files}
    templates = units.templates(wish.unit_files, wish.running)
    return Machine(
        caddy=machine.caddy,
        stacks=tuple(stacks),
        templates=templates,
        migrations=tuple(migrations),
        dsn=dsn,
        listening=_listening(),
        looked=(
            *machine.looked,
            f"compose files in {', '.join(map(str, roots))} ({DEEPEST} levels deep): {len(found)} found",
            f"template units with instances blue or green in {', '.join(wish.unit_files)}: {len(templates)} found",
        ),
        caddy_directory=_writable(wish.caddy_directory),
    )


def _directories(roots: tuple[Path, ...]) -> Iterator[Path]:
    """The roots and what is in them, level by level, within bounds; links are not followed."""
    until = monotonic() + SECONDS
    level, seen = [root.absolute() for root in roots if root.is_dir()], 0
    for _ in range(DEEPEST + 1):
        below: list[Path] = []
        for directory in level:
            seen += 1
            if seen > MOST_DIRECTORIES or monotonic() > until:
                return
            if str(directory).isprintable():
                yield directory
            below += _inside(directory)
        level = below


def _inside(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            found = [each for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(Path(each.path) for each in found if not each.name.startswith(".") and each.name not in SKIPPED)


def _migrations(directory: Path) -> Iterator[Directory]:
    if (directory / "alembic.ini").is_file():
        yield Directory(directory, "alembic")
    if (directory / "manage.py").is_file():
        yield Directory(directory, "django")
    if (directory / "bin" / "rails").is_file() and (directory / "db" / "migrate").is_dir():
        yield Directory(directory, "rails")
    if directory.name == "migrations" and any(directory.glob("*.sql")):
        yield Directory(directory, "sql")


def _listening() -> frozenset[int] | None:
    """The TCP ports of this machine on which somebody listens; None where that cannot be told."""
    found: set[int] = set()
    told = False
    for table in SOCKET_TABLES:
        lines = env.text_of(Path(table)).splitlines()
        told |= bool(lines)
        for line in lines[1:]:
            fields = line.split()
            if len(fields) > 3 and fields[3] == LISTENING:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return frozenset(found) if told else None


def _writable(directory: Path) -> bool:
    """Whether files could be made there, or the directory itself."""
    there = next((path for path in (directory, *directory.parents) if path.is_dir()), None)
    near = there is not None and there in (directory, directory.parent)
    return near and os.access(str(there), os.W_OK)
