"""What must agree between the checks of a colour and the services of the stack."""

from collections.abc import Iterator, Sequence

from bluegreen.settings.rule import Broken, Rule, unique, unknown
from bluegreen.settings.sections_continuity import Continuity
from bluegreen.settings.sections_smoke import Smoke
from bluegreen.settings.sections_stack import Service
from bluegreen.settings.sections_steps import Step


def smoke_names_are_unique(smoke: Sequence[Smoke]) -> Iterator[Broken]:
    yield from unique("smoke", smoke)


def continuity_names_are_unique(continuity: Sequence[Continuity]) -> Iterator[Broken]:
    yield from unique("continuity", continuity)


def smoke_checks_name_a_service(smoke: Sequence[Smoke], services: Sequence[Service]) -> Iterator[Broken]:
    for index, check in enumerate(smoke):
        yield from _named(("smoke", index), check.service, services)
        if check.flow is not None:
            yield from _steps(("smoke", index, "flow", "steps"), check.flow.steps, services)


def continuity_checks_name_a_service(continuity: Sequence[Continuity], services: Sequence[Service]) -> Iterator[Broken]:
    for index, check in enumerate(continuity):
        yield from _named(("continuity", index), check.service, services)
        for key, steps in check.parts.items():
            yield from _steps(("continuity", index, key), steps, services)


def _steps(path: tuple[str | int, ...], steps: Sequence[Step], services: Sequence[Service]) -> Iterator[Broken]:
    for number, step in enumerate(steps):
        yield from _named((*path, number), step.service, services)


def _named(path: tuple[str | int, ...], name: str | None, services: Sequence[Service]) -> Iterator[Broken]:
    routed = [service.name for service in services if service.role == "both"]
    if name is None or name in routed:
        return
    if name in {service.name for service in services}:
        text = f'"{name}" is a live-only service: it has no addresses that could be asked; use a command'
        yield Broken((*path, "service"), text)
    else:
        yield Broken((*path, "service"), unknown(name, "[[services]]", routed))


SMOKE_RULES: tuple[Rule, ...] = (
    smoke_names_are_unique,
    continuity_names_are_unique,
    smoke_checks_name_a_service,
    continuity_checks_name_a_service,
)
