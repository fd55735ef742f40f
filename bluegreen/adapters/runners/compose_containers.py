"""The containers of a project, as the engine describes them (docker and podman alike, but for a few names)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bluegreen.domain.parts import Part, PartState

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
STAMP, RELEASE = "bluegreen.stamp", "bluegreen.release"
"""Our own labels: what a container was made of, and for which release."""

SECOND = 1_000_000_000
NEVER = "0001-01-01"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a container's health is to be found out; seconds, docker's defaults where nothing is said."""

    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0

    @property
    def patience(self) -> float:
        """Seconds after its start in which a container has to have become healthy."""
        return self.start_period + self.retries * self.interval


@dataclass(frozen=True, slots=True)
class Container:
    """One container."""

    id: str
    name: str
    service: str = ""
    number: int = 1
    one_off: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    image_id: str = ""
    status: str = ""
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    restarts: int = 0
    started_at: datetime | None = None
    health: str = ""
    said: str = ""
    check: HealthCheck | None = None
    networks: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """What people call it: the service, with a number for further replicas."""
        return self.service if self.number == 1 else f"{self.service}-{self.number}"

    @property
    def runs(self) -> bool:
        """Whether it runs, also where it is paused or about to be started again."""
        return self.status in {"running", "paused", "restarting", "stopping"}

    @property
    def is_new(self) -> bool:
        """Whether it was never started."""
        return self.status in {"created", "configured", "initialized"}

    @property
    def is_done(self) -> bool:
        """Whether it came to a good end."""
        return self.status in {"exited", "stopped"} and self.exit_code == 0 and not self.error

    def trouble(self) -> str:
        """Why it does not run as it should, in a few words; "" where it does, or has ended well."""
        if self.status == "restarting" or (self.restarts and self.status == "running" and self.exit_code):
            return f"is started again and again, {self._end}"
        if self.status == "paused":
            return "is paused"
        if self.status == "dead" or self.error:
            return self.error or "is dead"
        if self.status in {"exited", "stopped"} and self.exit_code:
            return f"ended, {self._end}"
        return "is unhealthy" + (f": {self.said}" if self.said else "") if self.health == "unhealthy" else ""

    @property
    def _end(self) -> str:
        signal = f" (signal {self.exit_code - 128})" if 128 < self.exit_code <= 128 + 64 else ""
        return ("out of memory, " if self.out_of_memory else "") + f"exit code {self.exit_code}{signal}"

    def as_part(self, digest: str) -> Part:
        """What is told of it."""
        state = PartState.STOPPED
        trouble = self.trouble()
        if trouble:
            state = PartState.FAILED
        elif self.status == "running":
            state = PartState.STARTING if self.health == "starting" else PartState.RUNNING
        release = self.labels.get(RELEASE, "")
        properties = {"container": self.name} | ({"release": release} if release else {})
        if self.restarts:
            properties["restarts"] = str(self.restarts)
        return Part(self.part, state, self.image, digest, self.started_at, self.health, trouble, properties)


def containers_of(text: str) -> tuple[Container, ...]:
    """The containers of an `inspect`, by service and number. Raises ValueError where it cannot be read."""
    try:
        found = [_container(said) for said in json.loads(text)]
    except (TypeError, KeyError, AttributeError) as exc:
        raise ValueError(f"the engine described its containers otherwise than it should: {exc!r}") from exc
    return tuple(sorted(found, key=lambda container: (container.service, container.number, container.name)))


def _container(said: Mapping[str, Any]) -> Container:
    state, config = said["State"], said["Config"]
    labels = {str(name): str(value) for name, value in (config.get("Labels") or {}).items()}
    check = _check(config.get("Healthcheck"))
    health = state.get("Health") or state.get("Healthcheck") or {}
    log = health.get("Log") or [{}]
    number = labels.get(NUMBER, "")
    return Container(
        id=said["Id"],
        name=said["Name"].lstrip("/"),
        service=labels.get(SERVICE, ""),
        number=int(number) if number.isdigit() else 1,
        one_off=labels.get(ONE_OFF, "").lower() == "true",
        labels=labels,
        image=said.get("ImageName") or config.get("Image") or "",
        image_id=_digest(said.get("Image") or ""),
        status=str(state.get("Status", "")).lower(),
        exit_code=int(state.get("ExitCode") or 0),
        out_of_memory=bool(state.get("OOMKilled")),
        error=" ".join(str(state.get("Error") or "").split())[:300],
        restarts=int(said.get("RestartCount") or 0),
        started_at=_time(str(state.get("StartedAt") or "")),
        health=(str(health.get("Status") or "starting") if check is not None else ""),
        said=" ".join(str(log[-1].get("Output") or "").split())[:200],
        check=check,
        networks=tuple((said.get("NetworkSettings") or {}).get("Networks") or {}),
    )


def _check(said: Mapping[str, Any] | None) -> HealthCheck | None:
    if not said or not said.get("Test") or said["Test"][0] == "NONE":
        return None
    normal = HealthCheck()
    return HealthCheck(
        interval=(said.get("Interval") or 0) / SECOND or normal.interval,
        timeout=(said.get("Timeout") or 0) / SECOND or normal.timeout,
        retries=said.get("Retries") or normal.retries,
        start_period=(said.get("StartPeriod") or 0) / SECOND,
    )


def _time(text: str) -> datetime | None:
    if not text or text.startswith(NEVER):
        return None
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    fraction = rest[: len(rest) - len(zone)][:6].ljust(6, "0") if rest else ""
    try:
        return datetime.fromisoformat(f"{whole}.{fraction}{zone}" if fraction else text).astimezone(UTC)
    except ValueError:
        return None


def _digest(id: str) -> str:
    return id if not id or ":" in id else f"sha256:{id}"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the engine: its id and the digests under which repositories know it."""

    id: str
    digests: tuple[str, ...] = ()

    def identity(self, reference: str) -> str:
        """What it is known by: the digest by which it was asked for, else one of a repository, else its id."""
        asked = reference.partition("@")[2]
        digests = [digest.partition("@")[2] for digest in self.digests]
        return asked if asked in digests else next(iter(digests), "") or self.id


def image_of(text: str) -> Image:
    """The image of an `image inspect`. Raises ValueError where it cannot be read."""
    try:
        (said,) = json.loads(text)
        return Image(_digest(str(said["Id"])), tuple(said.get("RepoDigests") or ()))
    except (TypeError, KeyError, ValueError) as exc:
        raise ValueError(f"the engine described an image otherwise than it should: {exc!r}") from exc
