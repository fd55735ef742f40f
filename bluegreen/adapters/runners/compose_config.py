"""What the compose files say, as compose itself has read them: its `config`.

Outside facts: `docker compose config --format json` prints JSON, podman-compose has YAML alone. Files that were read
through it are whole: variables filled in, files merged, profiles applied, short forms written out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """One service: its image, what it waits for ({service: condition}), and how many containers it has."""

    name: str
    image: str = ""
    depends_on: Mapping[str, str] = field(default_factory=dict)
    container_name: str = ""
    scale: int = 1

    def of(self, image: str) -> "ServiceConfig":
        """The same with another image."""
        return replace(self, image=image)


def services_of(text: str, *, yaml: bool) -> dict[str, ServiceConfig]:
    """The services of a `config`, in the order in which they start. Raises ValueError where it cannot be read."""
    read: Any = msgspec.yaml.decode(text) if yaml else msgspec.json.decode(text)
    found = read.get("services") if isinstance(read, dict) else None
    if not isinstance(found, dict):
        raise ValueError("it has no services")  # noqa: TRY004 - of the text, not of a type
    return ordered(
        {str(name): _service(str(name), said if isinstance(said, dict) else {}) for name, said in found.items()}
    )


def _service(name: str, said: Mapping[str, Any]) -> ServiceConfig:
    waits = said.get("depends_on")
    conditions = {
        str(other): str(how.get("condition", STARTED)) if isinstance(how, dict) else STARTED
        for other, how in (waits.items() if isinstance(waits, dict) else ())
    }
    deploy = said.get("deploy")
    scale = said.get("scale") or (deploy.get("replicas") if isinstance(deploy, dict) else None)
    return ServiceConfig(
        name,
        image=str(said.get("image") or ""),
        depends_on=conditions,
        container_name=str(said.get("container_name") or ""),
        scale=int(str(scale)) if str(scale or "").isdigit() else 1,
    )


def ordered(services: Mapping[str, ServiceConfig]) -> dict[str, ServiceConfig]:
    """The services, each after those it waits for. Raises ValueError where they wait for each other."""
    done: dict[str, ServiceConfig] = {}
    left = dict(services)
    while left:
        due = [name for name, service in left.items() if not any(other in left for other in service.depends_on)]
        if not due:
            raise ValueError(f"{', '.join(left)} wait for each other")
        for name in due:
            done[name] = left.pop(name)
    return done
