"""Drift in words: what each service dials, and what it should dial; and in mode "pointer" what became of the arms and
of the file that tells the balancer where to send users."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Traffic, normal


@dataclass(frozen=True, slots=True)
class Steering:
    """How users are steered in mode "pointer": the `file`, what it `says` (None: there is none), and how each service
    is set up to follow it."""

    file: str
    says: str | None
    arms: tuple[Arms, ...]

    @property
    def followed(self) -> bool:
        """Whether every service follows the file."""
        return all(each.serves for each in self.arms)

    @property
    def lost(self) -> tuple[Arms, ...]:
        """The services whose arms are gone."""
        return tuple(each for each in self.arms if each.armed is Armed.BARE)


def difference(
    services: Mapping[str, Service], traffic: Traffic, wanted: Colour, steering: Steering | None = None
) -> tuple[str, ...]:
    """Lines like those of a diff: `-` is wanted and not there, `+` is there instead; empty where all is as wanted.
    With `steering` (mode "pointer") first what became of the file and of the arms."""
    dials = tuple(line for found in traffic.services for line in _of(services[found.service], found, wanted))
    return (*_file(steering, traffic, wanted), *_arms(steering, services, traffic), *dials) if steering else dials


def _file(steering: Steering, traffic: Traffic, wanted: Colour) -> Iterator[str]:
    if steering.says is None:
        yield f"- {steering.file} says {wanted}"
        yield f"+ there is no {steering.file}: users get whichever colour is alive"
    elif traffic.colour is not wanted and (steering.says.split() or [""])[0] != wanted:
        aside = "" if _is_known(steering, traffic) else ", which is no word of ours: users get whichever colour lives"
        yield f"- {steering.file} says {wanted}"
        yield f'+ {steering.file} says "{steering.says}"{aside}'


def _is_known(steering: Steering, traffic: Traffic) -> bool:
    """Whether the balancer does something by what the file says: a service that follows it is on a colour, or split."""
    follows = {each.service for each in steering.arms if each.serves}
    return not follows or any(
        (found.colour is not None or found.split is not None) for found in traffic.services if found.service in follows
    )


def _arms(steering: Steering, services: Mapping[str, Service], traffic: Traffic) -> Iterator[str]:
    found = {each.service: each for each in traffic.services}
    for arms in steering.arms:
        if arms.armed is Armed.BARE and arms.service in found:
            dials = _dials(services[arms.service], found[arms.service])
            yield f"{arms.service}: the arms are gone, its route dials {dials} by itself again"
        elif arms.armed is Armed.OUTDATED:
            yield f"{arms.service}: {arms.fault or 'its arms are not those of the configuration'}"


def _of(service: Service, found: ServiceTraffic, wanted: Colour) -> Iterator[str]:
    if found.colour is wanted:
        return
    yield f"{service.name}, at {', '.join(found.paths)}"
    yield f"- {service.name} dials {' '.join(service.addresses[wanted])} ({wanted})"
    yield f"+ {service.name} dials {_dials(service, found)}"


def _dials(service: Service, found: ServiceTraffic) -> str:
    if not found.dials:
        return "nothing"
    if found.colour is not None and not found.fallback:
        return f"{' '.join(found.dials)} ({found.colour})"
    return ", ".join(f"{dial} ({_owner(service, dial)})" for dial in found.dials)


def _owner(service: Service, dial: str) -> str:
    owners = [c for c in Colour if normal(dial) in {normal(address) for address in service.addresses[c]}]
    return owners[0] if owners else "of neither colour"
