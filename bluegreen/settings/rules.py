"""What must agree between sections. Each rule names, by its parameters, the sections it looks at.

So a rule runs whenever its sections are sound by themselves, also when others are not: one run of the daemon tells
everything that is wrong with a file.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any, NamedTuple, Protocol

from bluegreen.settings.places import nearest
from bluegreen.settings.sections_data import Database, Migration
from bluegreen.settings.sections_outside import Hooks, Notify
from bluegreen.settings.sections_stack import Service, Smoke
from bluegreen.settings.sections_story import Deadlines, Retire
from bluegreen.settings.sections_watch import Watch
from bluegreen.settings.units import format_duration
from bluegreen.settings.values import same_place


class Broken(NamedTuple):
    """A rule that does not hold: where, and what to do about it."""

    path: tuple[str | int, ...]
    text: str


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Rule = Callable[..., Iterator[Broken]]


def database_names_are_unique(databases: Sequence[Database]) -> Iterator[Broken]:
    yield from _unique("databases", databases)


def migration_names_are_unique(migrations: Sequence[Migration]) -> Iterator[Broken]:
    yield from _unique("migrations", migrations)


def service_names_are_unique(services: Sequence[Service]) -> Iterator[Broken]:
    yield from _unique("services", services)


def smoke_names_are_unique(smoke: Sequence[Smoke]) -> Iterator[Broken]:
    yield from _unique("smoke", smoke)


def receiver_names_are_unique(notify: Sequence[Notify]) -> Iterator[Broken]:
    yield from _unique("notify", notify)


def migrations_name_a_database(migrations: Sequence[Migration], databases: Sequence[Database]) -> Iterator[Broken]:
    known = [database.name for database in databases]
    for index, migration in enumerate(migrations):
        if migration.database not in known:
            yield Broken(("migrations", index, "database"), _unknown(migration.database, "[[databases]]", known))


def smoke_checks_name_a_service(smoke: Sequence[Smoke], services: Sequence[Service]) -> Iterator[Broken]:
    known = [service.name for service in services]
    for index, check in enumerate(smoke):
        if check.service is not None and check.service not in known:
            yield Broken(("smoke", index, "service"), _unknown(check.service, "[[services]]", known))


def each_address_is_of_one_colour(services: Sequence[Service]) -> Iterator[Broken]:
    owners: dict[str, str] = {}
    for index, service in enumerate(services):
        for colour, addresses in service.addresses.items():
            for number, address in enumerate(addresses):
                owner = owners.setdefault(same_place(address), mine := f"{colour} of {service.name}")
                if owner != mine:
                    yield Broken(
                        ("services", index, colour.value, number),
                        f'"{address}" is already {owner}: each colour of each service needs addresses of its own, '
                        "since they tell where Caddy sends users",
                    )


def deadlines_leave_time_for_the_watch(deadlines: Deadlines, watch: Watch) -> Iterator[Broken]:
    for key, given, needed, name in (
        ("watching", deadlines.watching, watch.window, "window"),
        ("standing_by", deadlines.standing_by, watch.standby, "standby"),
    ):
        if given is not None and given <= needed:
            yield Broken(
                ("deadlines", key),
                f'"{format_duration(given)}" is not longer than [watch] {name} ({format_duration(needed)}): '
                "the phase could not end in time",
            )


def deadlines_leave_time_for_the_drain(deadlines: Deadlines, retire: Retire) -> Iterator[Broken]:
    if deadlines.retiring <= retire.drain:
        given, needed = format_duration(deadlines.retiring), format_duration(retire.drain)
        yield Broken(
            ("deadlines", "retiring"),
            f'"{given}" is not longer than [retire] drain ({needed}): the old colour would never be stopped in time',
        )


def hooks_have_a_listener(hooks: Hooks) -> Iterator[Broken]:
    if hooks.named and not hooks.listen:
        names = ", ".join(hooks.named)
        yield Broken(
            ("hooks", "listen"),
            f'is off, but hooks are configured ({names}): set listen = "127.0.0.1:9119" in [hooks], or remove them',
        )


RULES: tuple[Rule, ...] = (
    database_names_are_unique,
    migration_names_are_unique,
    service_names_are_unique,
    smoke_names_are_unique,
    receiver_names_are_unique,
    migrations_name_a_database,
    smoke_checks_name_a_service,
    each_address_is_of_one_colour,
    deadlines_leave_time_for_the_watch,
    deadlines_leave_time_for_the_drain,
    hooks_have_a_listener,
)
NEEDED = {rule: tuple(signature(rule).parameters) for rule in RULES}


def broken(sections: dict[str, Any]) -> list[Broken]:
    """What does not hold among these sections; rules about other sections are left out."""
    return [
        found
        for rule, needed in NEEDED.items()
        if sections.keys() >= set(needed)
        for found in rule(**{name: sections[name] for name in needed})
    ]


def _unique(section: str, items: Sequence[_Named]) -> Iterator[Broken]:
    seen: Counter[str] = Counter()
    for index, item in enumerate(items):
        seen[item.name] += 1
        if seen[item.name] == 2:
            yield Broken((section, index, "name"), f'"{item.name}" is the name of more than one of the [[{section}]]')


def _unknown(name: str, section: str, known: Sequence[str]) -> str:
    meant = nearest(name, known)
    if meant:
        return f'there is no "{name}" in {section}; did you mean "{meant}"?'
    return f'there is no "{name}" in {section}; ' + (
        f"there is: {', '.join(known)}" if known else "there is none at all"
    )
