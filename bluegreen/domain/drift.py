"""Drift in words: what each service dials, and what it should dial."""

from collections.abc import Iterator, Mapping

from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Traffic, normal


def difference(services: Mapping[str, Service], traffic: Traffic, wanted: Colour) -> tuple[str, ...]:
    """Lines like those of a diff: `-` is wanted and not there, `+` is there instead; empty where all is as wanted."""
    return tuple(line for found in traffic.services for line in _of(services[found.service], found, wanted))


def _of(service: Service, found: ServiceTraffic, wanted: Colour) -> Iterator[str]:
    if found.colour is wanted:
        return
    yield f"{service.name}, at {', '.join(found.paths)}"
    yield f"- {service.name} dials {' '.join(service.addresses[wanted])} ({wanted})"
    yield f"+ {service.name} dials {_dials(service, found)}"


def _dials(service: Service, found: ServiceTraffic) -> str:
    if not found.dials:
        return "nothing"
    if found.colour is not None:
        return f"{' '.join(found.dials)} ({found.colour})"
    return ", ".join(f"{dial} ({_owner(service, dial)})" for dial in found.dials)


def _owner(service: Service, dial: str) -> str:
    owners = [c for c in Colour if normal(dial) in {normal(address) for address in service.addresses[c]}]
    return owners[0] if owners else "of neither colour"
