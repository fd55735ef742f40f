"""What must agree between sections. Each rule names, by its parameters, the sections it looks at.

So a rule runs whenever its sections are sound by themselves, also when others are not: one run of the daemon tells
everything that is wrong with a file.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any, NamedTuple, Protocol

from bluegreen.domain.rules import SignalRule
from bluegreen.domain.traffic import Colour
from bluegreen.settings import judged
from bluegreen.settings.places import nearest
from bluegreen.settings.sections_data import Database, Migration
from bluegreen.settings.sections_outside import Hooks, Notify
from bluegreen.settings.sections_stack import Environments, Service, Smoke
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

MORE_THAN_ONE = 2


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


def route_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from _unique("watch.routes", watch.routes)


def routes_name_a_service(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = [service.name for service in services]
    for index, route in enumerate(watch.routes):
        if route.service is not None and route.service not in known:
            yield Broken(("watch", "routes", index, "service"), _unknown(route.service, "[[services]]", known))


def limit_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from _unique("watch.limits", watch.limits)


def limits_name_a_signal(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = {rule.name: rule for rule in judged.signal_rules(watch, services)}
    for index, limit in enumerate(watch.limits):
        rule = known.get(limit.signal)
        if rule is None:
            yield Broken(("watch", "limits", index, "signal"), _unknown(limit.signal, "the signals", list(known)))
        elif not isinstance(limit.bound, str | None if rule.gauge is None else float):
            yield Broken(("watch", "limits", index, "above" if limit.below is None else "below"), _bound(rule))
        elif rule.gauge is None and limit.below is not None:
            yield Broken(
                ("watch", "limits", index, "below"),
                f"{rule.name} counts bad events: below it is where all is well, and each good release would be cut "
                f'back; write above = "{limit.below}"',
            )


def something_decides(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    if not any(rule.critical and not rule.dry_run for rule in judged.signal_rules(watch, services)):
        yield Broken(
            ("watch", "signals"),
            "no signal is critical and decides: a release would be healthy without a single sample; set "
            "5xx.critical = true, and dry_run = false",
        )


def _bound(rule: SignalRule) -> str:
    if rule.gauge is not None:
        return f"{rule.name} is measured as a number: write one, for example above = 200"
    return f'{rule.name} counts bad events of all: write a percentage, for example above = "2%"'


def flow_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from _unique("watch.flows", watch.flows)


def flows_name_services(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = [service.name for service in services]
    for index, flow in enumerate(watch.flows):
        place = ("watch", "flows", index)
        if flow.service not in known:
            yield Broken((*place, "service"), _unknown(flow.service, "[[services]]", known))
        for number, step in enumerate(flow.steps):
            if step.service is not None and step.service not in known:
                yield Broken((*place, "steps", number, "service"), _unknown(step.service, "[[services]]", known))


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


def signal_names_are_unique(watch: Watch) -> Iterator[Broken]:
    seen: Counter[str] = Counter()
    for section in ("prometheus", "sql", "http_json"):
        for index, signal in enumerate(getattr(watch, section)):
            seen[signal.name] += 1
            if seen[signal.name] == MORE_THAN_ONE:
                text = f'"{signal.name}" is the name of more than one signal of [watch]'
                yield Broken(("watch", section, index, "name"), text)


def sql_signals_name_a_database(watch: Watch, databases: Sequence[Database]) -> Iterator[Broken]:
    known = [database.name for database in databases]
    for index, signal in enumerate(watch.sql):
        if signal.database not in known:
            yield Broken(("watch", "sql", index, "database"), _unknown(signal.database, "[[databases]]", known))


def sql_signals_can_tell_colours_apart(watch: Watch, environments: Environments) -> Iterator[Broken]:
    nameless = [colour for colour in Colour if not environments.of(colour).application_name]
    for index, signal in enumerate(watch.sql):
        if signal.needs_application_names and nameless:
            yield Broken(
                ("watch", "sql", index, "built_in" if signal.built_in else "query"),
                f"a colour's sessions are known by their name: write application_name in [environments.{nameless[0]}]",
            )


def http_signals_name_a_service(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = [service.name for service in services]
    for index, signal in enumerate(watch.http_json):
        if signal.service is not None and signal.service not in known:
            yield Broken(("watch", "http_json", index, "service"), _unknown(signal.service, "[[services]]", known))


def log_line_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from _unique("watch.log_lines", watch.log_lines)


def log_lines_have_a_log(watch: Watch, environments: Environments) -> Iterator[Broken]:
    for colour in Colour:
        if watch.log_lines and environments.of(colour).follow is None:
            yield Broken(
                ("environments", colour.value, "follow"),
                f"is not set, but [[watch.log_lines]] {watch.log_lines[0].name} needs the log of both colours: write "
                'the command that prints it as it is written, for example follow = ["journalctl", "-f", "-n", "0", '
                '"-u", "app@{colour}"]',
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
    route_names_are_unique,
    routes_name_a_service,
    limit_names_are_unique,
    limits_name_a_signal,
    something_decides,
    flow_names_are_unique,
    flows_name_services,
    deadlines_leave_time_for_the_watch,
    deadlines_leave_time_for_the_drain,
    hooks_have_a_listener,
    signal_names_are_unique,
    sql_signals_name_a_database,
    sql_signals_can_tell_colours_apart,
    http_signals_name_a_service,
    log_line_names_are_unique,
    log_lines_have_a_log,
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
            path: tuple[str | int, ...] = (*section.split("."), index, "name")
            yield Broken(path, f'"{item.name}" is the name of more than one of the [[{section}]]')


def _unknown(name: str, section: str, known: Sequence[str]) -> str:
    meant = nearest(name, known)
    if meant:
        return f'there is no "{name}" in {section}; did you mean "{meant}"?'
    return f'there is no "{name}" in {section}; ' + (
        f"there is: {', '.join(known)}" if known else "there is none at all"
    )
