"""What must agree between services, the colours that run them, and what is done after a switch. A part of rules.py."""

from collections.abc import Iterator, Sequence

from bluegreen.domain.traffic import Colour
from bluegreen.settings.rule import Broken, Rule, unique, unknown
from bluegreen.settings.sections_after import AfterSwitch
from bluegreen.settings.sections_stack import Environments, Service


def some_service_is_routed(services: Sequence[Service]) -> Iterator[Broken]:
    if all(service.role == "live-only" for service in services):
        yield Broken(
            ("services", 0, "role"),
            'is "live-only" for every service, and users must be sent somewhere: one needs `blue` and `green`',
        )


def commands_move_the_live_only_services(services: Sequence[Service], environments: Environments) -> Iterator[Broken]:
    live_only = [service.name for service in services if service.role == "live-only"]
    if not live_only:
        return
    for colour in Colour:
        environment = environments.of(colour)
        for key in ("live_only_up", "live_only_down"):
            if environment.runner == "command" and getattr(environment, key) is None:
                verb = "start" if key.endswith("up") else "stop"
                yield Broken(
                    ("environments", colour.value, key),
                    f"is needed: {', '.join(live_only)} must run in the live colour alone, and nothing here can {verb} "
                    f'it by itself; for example {key} = ["systemctl", "{verb}", "{live_only[0]}@{{colour}}"]',
                )


def what_follows_a_switch_is_named_once(after_switch: Sequence[AfterSwitch]) -> Iterator[Broken]:
    yield from unique("after_switch", after_switch)


def what_follows_a_switch_asks_a_service(
    after_switch: Sequence[AfterSwitch], services: Sequence[Service]
) -> Iterator[Broken]:
    known = [service.name for service in services if service.role == "both"]
    for index, after in enumerate(after_switch):
        if after.service is not None and after.service not in known:
            yield Broken(("after_switch", index, "service"), unknown(after.service, "the routed [[services]]", known))


STACK_RULES: tuple[Rule, ...] = (
    some_service_is_routed,
    commands_move_the_live_only_services,
    what_follows_a_switch_is_named_once,
    what_follows_a_switch_asks_a_service,
)
