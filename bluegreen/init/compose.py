"""Compose files: which services there are, what they publish, and in which of the two colours.

They are YAML (github.com/compose-spec/compose-spec). Compose itself is not asked: it would want every variable to be
set, and may not be installed where this is run.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bluegreen.domain.traffic import Colour
from bluegreen.init import env
from bluegreen.init.found import Member, Published, Stack, colour_in

MAIN = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", "podman-compose.yml")
"""What compose takes by itself, in its order, and one that people name."""

PORT = re.compile(r"(?:(?P<host>\[[^\]]+\]|[0-9.]+):)?(?P<port>[0-9]{1,5})(?:-[0-9]+)?:(?P<target>[0-9]{1,5})")
UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What is raised for a file that is no YAML, or holds what Python cannot hold (a date in the year 0)."""

EVERYWHERE = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104 # what is published on every address is reached on loopback

URL_PATH = re.compile(r"https?://[^/\s\"']+(/[\x21\x23-\x26\x28-\x7e]*)")


def stacks(directory: Path) -> Iterator[Stack]:
    """The stacks of a directory: one for each colour that has files or variables of its own there, else one."""
    main = next((name for name in MAIN if (directory / name).is_file()), "")
    extra = {colour: _overlays(directory, colour) for colour in Colour}
    own = [c for c in Colour if extra[c] or set(env.files_of(directory, c)) - set(env.files_of(directory, None))]
    colours: list[Colour | None] = [*own] or [colour_in(directory.name)]
    for colour in colours:
        files = (*([main] if main else []), *(extra[colour] if colour in own and colour is not None else ()))
        if files:
            yield _stack(directory, files, colour)


def _overlays(directory: Path, colour: Colour) -> tuple[str, ...]:
    stems = ("compose", "docker-compose", "podman-compose")
    names = [f"{stem}.{colour}.{ending}" for stem in stems for ending in ("yaml", "yml")]
    names += [f"{stem}-{colour}.{ending}" for stem in stems for ending in ("yaml", "yml")]
    return tuple(name for name in names if (directory / name).is_file())


def _stack(directory: Path, files: tuple[str, ...], colour: Colour | None) -> Stack:
    env_files = env.files_of(directory, colour)
    values = env.variables(env_files)
    services: dict[str, dict[str, Any]] = {}
    try:
        for name in files:
            for service, said in _services(directory / name).items():
                services[service] = {**services.get(service, {}), **said}
    except ValueError as exc:
        return Stack(directory, files, (), env_files, colour, str(exc))
    members = tuple(_member(name, said, values, directory) for name, said in services.items())
    return Stack(directory, files, members, env_files, colour)


def _services(path: Path) -> dict[str, dict[str, Any]]:
    """The services of one file. ValueError says in words why it cannot be read."""
    try:
        document = msgspec.yaml.decode(env.text_of(path).encode())
    except ImportError:
        raise ValueError("no YAML library is installed") from None
    except UNREADABLE as exc:
        raise ValueError(f"it is no YAML that can be read ({type(exc).__name__})") from None
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        raise ValueError("it has no services")  # noqa: TRY004 # a file's fault, told as the others are
    return {_scalar(name): said for name, said in services.items() if isinstance(said, dict)}


def _member(name: str, said: Mapping[str, Any], values: Mapping[str, str], directory: Path) -> Member:
    listed = said.get("ports")
    ports = tuple(port for each in listed if (port := _port(each, values))) if isinstance(listed, list) else ()
    profiles = said.get("profiles")
    return Member(
        name=name,
        image=_untagged(env.filled(_text(said.get("image")), values)),
        ports=ports,
        health=_health(said.get("healthcheck")),
        profiles=tuple(p for p in profiles if isinstance(p, str)) if isinstance(profiles, list) else (),
        dsn=tuple(_dsn_names(said, values, directory)),
        container=env.filled(_text(said.get("container_name")), values),
    )


def _port(said: Any, values: Mapping[str, str]) -> Published | None:
    if isinstance(said, dict):
        parts = [env.filled(_scalar(said.get(key)), values) for key in ("host_ip", "published", "target")]
        text = f"{parts[0] + ':' if parts[0] else ''}{parts[1]}:{parts[2]}"
    else:
        text = env.filled(_scalar(said), values).removesuffix("/tcp")
    match = PORT.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65_536:
        return None
    host = match["host"] or ""
    return Published("127.0.0.1" if host in EVERYWHERE else host, int(match["port"]), int(match["target"]))


def _health(said: Any) -> str:
    """The path that the service's own health check asks for."""
    test = said.get("test") if isinstance(said, dict) else None
    text = " ".join(part for part in test if isinstance(part, str)) if isinstance(test, list) else _text(test)
    match = URL_PATH.search(text)
    return match[1] if match else ""


def _dsn_names(said: Mapping[str, Any], values: Mapping[str, str], directory: Path) -> Iterator[str]:
    """The names of its variables that lead to a Postgres."""
    given = said.get("environment")
    pairs: dict[str, str] = {}
    if isinstance(given, dict):
        pairs = {_scalar(key): env.filled(_scalar(value), values) for key, value in given.items()}
    elif isinstance(given, list):
        for entry in given:
            key, _, value = _scalar(entry).partition("=")
            pairs[key] = env.filled(value, values) if value else values.get(key, "")
    listed = said.get("env_file")
    for name in listed if isinstance(listed, list) else [listed]:
        if isinstance(name, str) and ".." not in name:
            pairs = {**env.variables([directory / env.filled(name, values)]), **pairs}
    yield from (key for key, value in pairs.items() if env.leads_to_postgres(value) and env.LINE.fullmatch(f"{key}="))


def _untagged(image: str) -> str:
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _scalar(value: Any) -> str:
    """A text or a number as text. Of what is nested nothing: a few aliases can make it larger than any memory."""
    return str(value) if isinstance(value, str | int | float) else ""
