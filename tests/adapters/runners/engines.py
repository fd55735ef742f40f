"""A host whose compose and engine are played: what docker compose 2.26 and podman-compose 1.6 answer to the few
questions of the compose runner, as real ones were seen to answer them. tests/platform asks real ones."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from bluegreen.adapters.runners.compose import ComposeRunner
from bluegreen.adapters.runners.compose_call import STDERR_ALONE, STDOUT_ALONE, Place
from bluegreen.adapters.runners.compose_stack import Project
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here, HostUnreachable
from bluegreen.processes import CommandFailed, Ran

numbers = count(1)

VERSIONS = {
    "docker": "Docker Compose version v2.26.1",
    "podman": "podman-compose version 1.6.0\npodman version 4.3.1",
}


@dataclass
class Played:
    """One container. `said` are the lines of its log."""

    id: str
    name: str
    service: str
    project: str
    labels: dict[str, str]
    image: str
    status: str = "created"
    code: int = 0
    health: str = ""
    restarts: int = 0
    started: str = "0001-01-01T00:00:00Z"
    checks: bool = False
    said: list[str] = field(default_factory=list)


class Engine(Here):
    """The host. `goes`: what becomes of a service that is started, by its image (fine, ends, crashes, loops, sick,
    slow, done); `fails`: words with which a verb of the engine fails; `hangs`: verbs that never end;
    `lost`: verbs at which the host is lost."""

    def __init__(self, directory: Path, services: Mapping[str, Any], kind: str = "docker") -> None:
        self.directory, self.kind = directory, kind
        self.services = services
        self.versions = {kind: VERSIONS[kind]}
        self.images: set[str] = set()
        self.registry: set[str] = set()
        self.goes: dict[str, str] = {}
        self.fails: dict[str, str] = {}
        self.hangs: set[str] = set()
        self.lost: set[str] = set()
        self.containers: list[Played] = []
        self.networks: set[str] = set()
        self.calls: list[tuple[str, ...]] = []
        self.variables: Mapping[str, str] = {}
        self.alone: list[str] = []

    def runner(self, colour: Colour = Colour.GREEN, live_only: tuple[str, ...] = (), **more: Any) -> ComposeRunner:
        """A runner on this host."""
        (self.directory / "compose.yaml").touch()
        settings: dict[str, Any] = {"settles": 0.0, "timeout": 30.0, "stop_timeout": 1.0} | more
        env_files = settings.pop("env_files", ())
        project = Project(
            f"yard-{colour}", env_files=env_files, live_only=live_only, written=self.directory / "written"
        )
        return ComposeRunner(Place(colour, self, self.directory), project, **settings)

    def running(self) -> dict[str, str]:
        """The release that each running service is of."""
        return {
            one.service: one.labels.get("bluegreen.release", "") for one in self.containers if one.status == "running"
        }

    def did(self, verb: str) -> list[tuple[str, ...]]:
        """The calls of a verb of the engine or of compose."""
        return [call for call in self.calls if verb in call]

    async def run(self, argv: Sequence[str], **more: Any) -> Ran:
        """Play a command."""
        words = list(argv)
        quiet = words[:3] == ["sh", "-c", STDERR_ALONE]
        if quiet or words[:3] == ["sh", "-c", STDOUT_ALONE]:
            words = words[4:]
        if words[0] == "sh":
            return await super().run(argv, **more)
        self.calls.append(tuple(words))
        self.variables = more.get("variables") or {}
        if more.get("alone"):
            self.alone.append(more["alone"])
        code, said = await self._played(words)
        said = "" if quiet and code == 0 else said
        return Ran(code, said + "\n" if said else "", 0.0)

    async def _played(self, words: list[str]) -> tuple[int, str]:
        composed = words[0].endswith("-compose") or words[1:2] == ["compose"]
        kind = "podman" if "podman" in words[0] else "docker"
        if kind not in self.versions:
            raise CommandFailed(f"{words[0]} cannot be started: No such file or directory")
        rest = words[1:] if words[0].endswith("-compose") else words[2:] if composed else words[1:]
        if composed:
            return await self._compose(rest)
        verb, *rest = rest
        if verb in self.hangs:
            await asyncio.Event().wait()
        if verb in self.lost:
            raise HostUnreachable("the link is cut")
        if verb in self.fails:
            return 1, self.fails[verb]
        play: Callable[[list[str]], tuple[int, str]] = getattr(self, f"_{verb}")
        return play(rest)

    async def _compose(self, words: list[str]) -> tuple[int, str]:
        if words == ["version"]:
            return 0, self.versions[self.kind]
        files = [words[number + 1] for number, word in enumerate(words) if word == "-f"]
        project = words[words.index("-p") + 1]
        if "config" in words:
            return (1, self.fails["config"]) if "config" in self.fails else (0, json.dumps({"services": self.services}))
        if "create" in self.fails:
            return 1, self.fails["create"]
        over = json.loads((self.directory / files[-1]).read_text())["services"]
        self.networks.add(f"{project}_default")
        for service in words[words.index("never") + 1 :]:
            self._made(project, service, over[service])
        return 0, ""

    def _made(self, project: str, service: str, over: Mapping[str, Any]) -> None:
        if any(one.project == project and one.service == service for one in self.containers):
            return
        image = over.get("image") or self.services[service]["image"]
        checks = bool(self.services[service].get("healthcheck"))
        id, name = f"{next(numbers):064x}", self.services[service].get("container_name", f"{project}-{service}-1")
        self.containers.append(Played(id, name, service, project, dict(over["labels"]), image, checks=checks))

    def _ps(self, words: list[str]) -> tuple[int, str]:
        project = words[-1].rpartition("=")[2]
        return 0, "\n".join(one.id for one in self.containers if one.project == project)

    def _container(self, words: list[str]) -> tuple[int, str]:
        found = [one for one in self.containers if one.id in words or one.name in words]
        if "--format" in words:
            labels = json.dumps(self._labels(found[0]), separators=(",", ":")) if found else ""
            return (0, labels) if found else (1, "Error: no such container")
        for one in found:
            self._happens(one)
        return 0, json.dumps([self._told(one) for one in found])

    def _labels(self, one: Played) -> dict[str, str]:
        names = {"com.docker.compose.project": one.project, "com.docker.compose.service": one.service}
        return {**one.labels, **names, "com.docker.compose.container-number": "1"}

    def _told(self, one: Played) -> dict[str, Any]:
        state = {"Status": one.status, "ExitCode": one.code, "StartedAt": one.started, "Error": ""}
        if one.checks:
            state["Health"] = {"Status": one.health, "Log": []}
        test = {"Test": ["CMD", "true"], "Interval": 10_000_000, "Retries": 2} if one.checks else None
        return {
            "Id": one.id,
            "Name": f"/{one.name}",
            "Image": f"sha256:{one.image}",
            "RestartCount": one.restarts,
            "State": state,
            "Config": {"Image": one.image, "Labels": self._labels(one), "Healthcheck": test, "Env": ["SECRET=s3cret"]},
            "NetworkSettings": {"Networks": {f"{one.project}_default": {}}},
        }

    def _happens(self, one: Played) -> None:
        goes = self.goes.get(one.image, "fine")
        if one.status == "running" and goes == "loops":
            one.restarts, one.code = one.restarts + 1, 4
        if one.status == "running" and one.checks and self.kind == "docker":
            one.health = {"sick": "unhealthy", "slow": "starting"}.get(goes, "healthy")

    def _image(self, words: list[str]) -> tuple[int, str]:
        name = words[-1].removeprefix("sha256:")
        if name not in self.images:
            return 1, f"Error: No such image: {words[-1]}"
        return 0, json.dumps([{"Id": f"sha256:{name}", "RepoDigests": [f"{name}@sha256:of-{name}"]}])

    def _pull(self, words: list[str]) -> tuple[int, str]:
        if words[-1] not in self.registry:
            return 1, f"Error response from daemon: manifest for {words[-1]} not found: manifest unknown"
        self.images.add(words[-1])
        return 0, ""

    def _start(self, words: list[str]) -> tuple[int, str]:
        (one,) = [one for one in self.containers if one.id == words[-1]]
        goes = self.goes.get(one.image, "fine")
        one.started = "2026-07-28T10:00:00.123456789Z"
        one.status, one.code = {"ends": ("exited", 0), "done": ("exited", 0), "crashes": ("exited", 3)}.get(
            goes, ("running", 0)
        )
        one.said += [f"{one.service} of {one.image} begins", *(["no database"] if goes == "crashes" else [])]
        one.health = "starting" if one.checks else ""
        return 0, one.id

    def _healthcheck(self, words: list[str]) -> tuple[int, str]:
        (one,) = [one for one in self.containers if one.id == words[-1]]
        return (1, "unhealthy") if self.goes.get(one.image) == "sick" else (0, "")

    def _stop(self, words: list[str]) -> tuple[int, str]:
        for one in self.containers:
            if one.id in words:
                one.status, one.code = "exited", 143
        return 0, ""

    def _rm(self, words: list[str]) -> tuple[int, str]:
        self.containers = [one for one in self.containers if one.id not in words]
        return 0, ""

    def _network(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "ls":
            project = words[words.index("--filter") + 1].rpartition("=")[2]
            return 0, "\n".join(sorted(name for name in self.networks if name == f"{project}_default"))
        if words[0] == "rm":
            self.networks -= set(words)
        return 0, ""

    def _pod(self, words: list[str]) -> tuple[int, str]:
        return 0, ""

    def _update(self, words: list[str]) -> tuple[int, str]:
        return 0, ""

    def _logs(self, words: list[str]) -> tuple[int, str]:
        (one,) = [one for one in self.containers if one.id == words[-1]]
        begins = "2026-07-28T10:00:00Z " if "--timestamps" in words else ""
        return 0, "\n".join(f"{begins}\x1b[32m{line}\x1b[0m" for line in one.said)
