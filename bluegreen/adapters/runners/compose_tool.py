"""Which compose a host has, and the engine behind it.

Outside facts: `docker compose` (v2) and `podman-compose` take the same -p, -f, --env-file, --profile, `config` and
`up --no-start`. podman-compose reads one --env-file only, the last, and none at all before 1.1. Both label their
containers and networks with com.docker.compose.project, so that what is there is found by the engine alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from bluegreen.adapters.runners.compose_call import Call
from bluegreen.processes import printable

FOUND = (("docker", "compose"), ("podman-compose",))
"""What is looked for where no tool is named."""

PODMAN_COMPOSE = re.compile(r"podman-compose version:? *(\d+)\.(\d+)(\S*)")
DOCKER_COMPOSE = re.compile(r"[Dd]ocker[ -][Cc]ompose version v?(\d+)\.(\d+)(\S*)")
OLDEST = {"podman-compose": (1, 3), "docker compose": (2, 0)}
"""podman-compose 1.3 is Debian 13's, 1.0.3 Debian 12's."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A compose: its command, that of its engine, and which it is."""

    argv: tuple[str, ...]
    engine: tuple[str, ...]
    name: str
    version: str

    @property
    def prints_yaml(self) -> bool:
        """Whether `config` prints YAML, and not JSON."""
        return self.name == "podman-compose"

    @property
    def checks_health(self) -> bool:
        """Whether the engine runs health checks by itself: podman leaves that to systemd's timers, if there are any."""
        return "podman" not in PurePath(self.engine[-1]).name

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


async def tool_of(call: Call, named: Sequence[str]) -> Tool:
    """The tool that is named, or the only one there is. Raises RunnerFailed: there is none, two, or a very old one."""
    candidates = (tuple(named),) if named else FOUND
    asked = [(argv, await _version(call, argv)) for argv in candidates]
    found = [tool for argv, text in asked if (tool := _tool(argv, text)) is not None]
    if not found:
        said = "; ".join(f"`{' '.join(argv)} version` said: {printable(text[-200:].strip())}" for argv, text in asked)
        where = f" on {call.place.host.name}" if call.place.host.name else ""
        raise call.failed(f"no compose is there{where}: {said}", next=_install(call))
    if len(found) > 1:
        names = " and ".join(str(tool) for tool in found)
        key = f'[environments.{call.place.colour}.compose] tool = ["podman-compose"]'
        raise call.failed(f"both {names} are there: name the one that is meant", next=(f"{key}   (or another)",))
    tool = found[0]
    if (numbers := _numbers(tool.version)) < OLDEST[tool.name]:
        oldest = ".".join(map(str, OLDEST[tool.name]))
        why = "it has no --env-file" if numbers < (1, 1) and tool.prints_yaml else "it cannot do what is needed"
        raise call.failed(f"{tool} is too old: {why}; {oldest} or newer is needed", next=_install(call))
    return tool


def _tool(argv: tuple[str, ...], text: str) -> Tool | None:
    for name, pattern in (("podman-compose", PODMAN_COMPOSE), ("docker compose", DOCKER_COMPOSE)):
        if found := pattern.search(text):
            return Tool(argv, engine_of(argv), name, f"{found[1]}.{found[2]}{found[3].rstrip(',')}")
    return None


def engine_of(argv: Sequence[str]) -> tuple[str, ...]:
    """The engine's command: `docker` of `docker compose`, `sudo podman` of `sudo podman-compose`; () of ()."""
    if "--podman-path" in argv[:-1]:
        return (argv[argv.index("--podman-path") + 1],)
    for number, word in enumerate(argv):
        name = PurePath(word).name
        if name == "compose" and number:
            return tuple(argv[:number])
        if name.endswith("-compose"):
            return (*argv[:number], name.removesuffix("-compose"))
    return tuple(argv)


async def _version(call: Call, argv: Sequence[str]) -> str:
    ran = await call.asked([*argv, "version"])
    if ran is None:
        return f"{argv[0]} is not there"
    return ran.output or f"nothing, exit code {ran.code}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _install(call: Call) -> tuple[str, ...]:
    where = f"on {call.place.host.name}: " if call.place.host.name else ""
    return (f"{where}pip install 'podman-compose>=1.6'", f"{where}apt-get install docker-compose   (Debian 13: v2)")
