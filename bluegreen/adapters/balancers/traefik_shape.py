"""How Traefik writes what we read of it: of a dynamic file, and of a service as its API tells it."""

from typing import Any

import msgspec

Json = Any


class _Server(msgspec.Struct):
    url: str = ""


class _Balanced(msgspec.Struct):
    servers: list[_Server] = msgspec.field(default_factory=list)


class _Part(msgspec.Struct):
    name: str = ""
    weight: int = 1


class _Weighted(msgspec.Struct):
    services: list[_Part] = msgspec.field(default_factory=list)


class _Service(msgspec.Struct, rename="camel"):
    load_balancer: _Balanced | msgspec.UnsetType = msgspec.UNSET
    weighted: _Weighted | msgspec.UnsetType = msgspec.UNSET


class _Http(msgspec.Struct):
    services: dict[str, _Service]


class _File(msgspec.Struct):
    http: _Http


def refuse_other(value: Json) -> None:
    """Raise ValueError where this is no dynamic file with services."""
    msgspec.convert(value, _File)


def checked(definition: Json) -> Json:
    """A service as Traefik tells it. Raises ValueError where it is none."""
    msgspec.convert(definition, _Service)
    return definition
