"""Template units of systemd: an `app@.service` of which `app@blue` or `app@green` is there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bluegreen.domain.traffic import Colour
from bluegreen.init.found import Template, colour_in

DIRECTORIES = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
RUNNING = ("/run/systemd/units", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice")
"""Where traces of running units are: one link or cgroup each. A template's instances have a slice of their own."""

MOST = 5000
"""Names that are looked at in one directory."""


def templates(directories: Sequence[str] = DIRECTORIES, running: Sequence[str] = RUNNING) -> tuple[Template, ...]:
    """The templates that have, or seem to have, instances for the colours; by name."""
    found: dict[str, Path] = {}
    seen: dict[str, set[Colour]] = {}
    for directory in map(Path, directories):
        for path in _entries(directory):
            if path.name.endswith("@.service") and path.name not in found:
                found[path.name] = path
            for entry in (path, *(_entries(path) if path.name.endswith((".wants", ".requires")) else ())):
                _note(entry.name, seen)
    for directory in map(Path, running):
        for path in _entries(directory):
            _note(path.name.removeprefix("invocation:"), seen)
            for inner in _entries(path) if path.name.startswith("system-") else ():
                _note(inner.name, seen)
    return tuple(
        Template(name.removesuffix("@.service"), path, frozenset(seen[name.removesuffix("@.service")]))
        for name, path in sorted(found.items())
        if name.removesuffix("@.service") in seen
    )


def _note(name: str, seen: dict[str, set[Colour]]) -> None:
    """Remember `app@blue.service`."""
    template, at, instance = name.removesuffix(".d").partition("@")
    if not at or not instance.endswith(".service"):
        return
    colour = colour_in(instance.removesuffix(".service"))
    if colour is not None and instance.removesuffix(".service") == colour.value:
        seen.setdefault(template, set()).add(colour)


def _entries(directory: Path) -> Iterator[Path]:
    try:
        for number, path in enumerate(sorted(directory.iterdir())):
            if number >= MOST:
                return
            yield path
    except OSError:
        return
