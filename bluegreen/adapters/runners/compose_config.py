"""What the compose files say, as compose itself has read them: its `config`.

Outside facts: `docker compose config --format json` prints JSON. podman-compose has YAML alone, as PyYAML's safe_dump
writes it: one key a line in block style, two columns deeper for each level, sequences with `- ` at their key's own
column, long scalars folded onto deeper lines, what is shared as &id001 and *id001. Of that the mappings are read, which
is all that is needed, and no YAML library.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

KEY = re.compile(r"""( *)('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^\s'"\-?#&*\[{][^:]*|-[^\s:][^:]*):(?: (.*))?$""")
ANCHOR = re.compile(r"&(\S+)(?: (.*))?$")

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """One service: its image, what it waits for ({service: condition}), and how many containers it has."""

    name: str
    image: str = ""
    depends_on: Mapping[str, str] = ()  # type: ignore[assignment]
    container_name: str = ""
    scale: int = 1

    def of(self, image: str) -> "ServiceConfig":
        """The same with another image."""
        return replace(self, image=image)


def services_of(text: str, *, yaml: bool) -> dict[str, ServiceConfig]:
    """The services of a `config`, in the order in which they start. Raises ValueError where it cannot be read."""
    read: Any = mappings(text) if yaml else json.loads(text)
    found = read.get("services") if isinstance(read, dict) else None
    if not isinstance(found, dict):
        raise ValueError("it has no services")
    return ordered({str(name): _service(str(name), said if isinstance(said, dict) else {}) for name, said in found.items()})


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
        scale=int(scale) if str(scale or "").isdigit() else 1,
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


def mappings(text: str) -> dict[str, Any]:
    """The mappings of a text of PyYAML's; scalars as text. What stands in sequences comes out wrong or not at all."""
    root: dict[str, Any] = {}
    open_ones: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    anchors: dict[str, dict[str, Any]] = {}
    folded: int | None = None  # the column of a key whose scalar may go on: what stands deeper belongs to it
    for line in text.splitlines():
        column = len(line) - len(line.lstrip(" "))
        if not line.strip() or (folded is not None and column > folded):
            continue
        found = KEY.match(line)
        if found is None:
            folded = column  # an item of a sequence, whatever it holds
            continue
        while open_ones[-1][0] >= column:
            open_ones.pop()
        name, value = _scalar(found[2]), (found[3] or "").strip()
        anchor = ANCHOR.match(value)
        if anchor is not None:
            value = anchor[2] or ""
        if value:
            open_ones[-1][1][name] = anchors.get(value[1:], {}) if value.startswith("*") else _scalar(value)
            folded = column
            continue
        open_ones[-1][1][name] = inner = {}
        open_ones.append((column, inner))
        folded = None
        if anchor is not None:
            anchors[anchor[1]] = inner
    return root


def _scalar(text: str) -> Any:
    if text == "{}":
        return {}
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            return text[1:-1]
    return "" if text == "null" else text
