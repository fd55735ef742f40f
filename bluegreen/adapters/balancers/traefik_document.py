"""What stands in the dynamic file that is ours at Traefik, and what it means.

The file is JSON, which YAML holds (YAML 1.2, 1), under a comment. Each of our services is one of its `http.services`;
routers of the operator's own name them `<service>@file`. Traefik refuses a file with a key that it does not know, and
keeps what it had (tests/adapters/balancers/test_traefik_facts.py), so our stamp is a service that no router names: one
address for each of ours that says the generation and the dials that were written. Dials that somebody changed by hand
do not fit it any more, and count as not stamped.

Whatever else stands in the file is the operator's: options of the load balancers, services and routers of his own.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bluegreen.adapters.balancers.addresses import belongs, colour_of
from bluegreen.adapters.balancers.traefik_shape import refuse_other
from bluegreen.domain.errors import RouteNotFound
from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Split, Traffic, normal

Json = Any
Found = Mapping[str, Json]
"""Traefik's services by name, as they stand in the file, or as its API tells."""

HEAD = "# Kept by bluegreen, which replaces it as a whole; routers name its services as <service>@file.\n"
STAMP, DOMAIN = "bluegreen-generation", ".bluegreen.invalid"
COOKIE = {"name": "bluegreen", "path": "/", "httpOnly": True, "sameSite": "lax", "maxAge": 86400}
PARTS = 10_000
"""Weights of a split add up to it: a share has two decimals of a percent."""

PORTS = {"http": 80, "https": 443}


def parsed(text: bytes) -> dict[str, Json]:
    """What a file says. Raises ValueError where it is not the JSON that we can keep."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(b"#")]
    value = msgspec.json.decode(b"\n".join(lines))
    refuse_other(value)
    return dict(value)


def rendered(value: Mapping[str, Json]) -> bytes:
    """The whole file."""
    return f"{HEAD}{json.dumps(value, indent=2)}\n".encode()


def services_in(value: Mapping[str, Json]) -> dict[str, Json]:
    """Traefik's services in a file, by name."""
    return dict(value.get("http", {}).get("services", {}))


def parts_of(definition: Json) -> list[str]:
    """The services that a weighted one shares users out to, in their order; none of any other."""
    return [str(part.get("name", "")).partition("@")[0] for part in definition.get("weighted", {}).get("services", [])]


def child(service: Service, colour: Colour) -> str:
    """The service of one colour, while users are shared out."""
    return f"{service.name}-{colour}"


def written(
    value: Mapping[str, Json], services: Sequence[Service], to: Colour | Split, generation: int, domain: str | None
) -> dict[str, Json]:
    """The file as it has to be for users to go `to`, stamped; `domain` of the cookie that keeps them in a split."""
    found = services_in(value)
    stamps = []
    for service in services:
        options = _options(found, service)
        for colour in Colour:
            found.pop(child(service, colour), None)
        if isinstance(to, Split):
            found |= {child(service, colour): _balanced(service, colour, options) for colour in Colour}
            found[service.name] = _shared(service, to, domain)
        else:
            found[service.name] = _balanced(service, to, options)
        stamps.append({"url": _stamp(service, _dials_of(found, service), generation)})
    found[STAMP] = {"loadBalancer": {"servers": stamps}}
    return {**value, "http": {**value.get("http", {}), "services": found}}


def traffic_of(found: Found, services: Sequence[Service], place: str) -> Traffic:
    """Where users go. Raises RouteNotFound for a service that is missing, or that leads to addresses which are neither
    ours nor were; `place` says where one looked."""
    return Traffic(tuple(_traffic(found, service, place) for service in services))


def _traffic(found: Found, service: Service, place: str) -> ServiceTraffic:
    dials = _dials_of(found, service)
    generation = _generation(found, service, dials)
    if not dials or not (belongs(service, dials) or generation is not None):
        raise RouteNotFound(
            f"{place} has no service {service.name} of ours: "
            + (f"it leads to {' '.join(dials)}, which is neither colour" if dials else "it is not there"),
            next=("bluegreen config docs traefik.file", "see docs/traefik.md"),
            service=service.name,
        )
    split = _split(found, service)
    colour = None if split else colour_of(service, dials)
    return ServiceTraffic(service.name, (f"http.services.{service.name}",), dials, colour, generation, split)


def _options(found: Found, service: Service) -> dict[str, Json]:
    """What the operator wishes of the load balancer beside its servers, wherever it stands now."""
    for name in (service.name, *(child(service, colour) for colour in Colour)):
        balanced = found.get(name, {}).get("loadBalancer")
        if isinstance(balanced, dict):
            return {key: value for key, value in balanced.items() if key != "servers"}
    return {}


def _balanced(service: Service, colour: Colour, options: Mapping[str, Json]) -> Json:
    servers = [{"url": f"{service.scheme}://{dial}"} for dial in service.addresses[colour]]
    return {"loadBalancer": {"servers": servers, **options}}


def _shared(service: Service, split: Split, domain: str | None) -> Json:
    new = round(split.share * PARTS)
    parts = [(split.colour, new), (split.colour.other, PARTS - new)]
    return {
        "weighted": {
            "services": [{"name": child(service, colour), "weight": weight} for colour, weight in parts],
            "sticky": {"cookie": {**COOKIE, **({"domain": domain} if domain else {})}},
        }
    }


def _split(found: Found, service: Service) -> Split | None:
    """How users are shared out by our own doing; the colour on trial stands first."""
    parts = found.get(service.name, {}).get("weighted", {}).get("services", [])
    weights = {str(part.get("name", "")).partition("@")[0]: part.get("weight", 0) for part in parts}
    for colour in Colour:
        if list(weights) == [child(service, colour), child(service, colour.other)]:
            return Split(colour, round(weights[child(service, colour)] / (sum(weights.values()) or 1), 4))
    return None


def _dials_of(found: Found, service: Service) -> tuple[str, ...]:
    definition = found.get(service.name, {})
    parts = (found.get(name, {}) for name in parts_of(definition))
    return tuple(dial for each in (definition, *parts) for dial in _dials(each))


def _dials(definition: Json) -> Iterable[str]:
    for server in definition.get("loadBalancer", {}).get("servers", []):
        url = urlsplit(str(server.get("url", "")))
        host = url.netloc.rpartition("@")[2]
        yield host if url.port or not host else f"{host}:{PORTS.get(url.scheme, 80)}"


def _stamp(service: Service, dials: Iterable[str], generation: int) -> str:
    return f"http://g{generation}{DOMAIN}/{service.name}/{','.join(dials)}"


def _generation(found: Found, service: Service, dials: Sequence[str]) -> int | None:
    """Our stamp on a service; None where there is none, or not for these dials."""
    for server in found.get(STAMP, {}).get("loadBalancer", {}).get("servers", []):
        url = urlsplit(str(server.get("url", "")))
        name, _, stamped = url.path.removeprefix("/").partition("/")
        number = (url.hostname or "").removesuffix(DOMAIN).removeprefix("g")
        if name == service.name and number.isdecimal():
            same = {normal(dial) for dial in stamped.split(",")} == {normal(dial) for dial in dials}
            return int(number) if same else None
    return None
