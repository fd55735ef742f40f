"""What must agree between [watch] and the sections that it speaks of."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bluegreen.domain.rules import SignalRule
from bluegreen.domain.traffic import Colour
from bluegreen.settings import judged
from bluegreen.settings.entrance import Balancer, entrance_of
from bluegreen.settings.rule import MORE_THAN_ONE, Broken, Rule, unique, unknown
from bluegreen.settings.sections import Caddy
from bluegreen.settings.sections_cloudflare import Cloudflare
from bluegreen.settings.sections_data import Database
from bluegreen.settings.sections_stack import Environments, Service
from bluegreen.settings.sections_traefik import Traefik
from bluegreen.settings.sections_watch import Watch


def route_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from unique("watch.routes", watch.routes)


def routes_name_a_service(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = [service.name for service in services]
    for index, route in enumerate(watch.routes):
        if route.service is not None and route.service not in known:
            yield Broken(("watch", "routes", index, "service"), unknown(route.service, "[[services]]", known))


def limit_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from unique("watch.limits", watch.limits)


def limits_name_a_signal(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = {rule.name: rule for rule in judged.signal_rules(watch, services)}
    for index, limit in enumerate(watch.limits):
        rule = known.get(limit.signal)
        if rule is None:
            yield Broken(("watch", "limits", index, "signal"), unknown(limit.signal, "the signals", list(known)))
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


def something_decides_without_a_log(
    watch: Watch,
    services: Sequence[Service],
    balancer: Balancer,
    caddy: Caddy,
    traefik: Traefik,
    cloudflare: Cloudflare,
) -> Iterator[Broken]:
    entrance = entrance_of(balancer, caddy, traefik, cloudflare)
    rules = judged.signal_rules(watch, services, log=False)
    if entrance.access_log is None and not any(rule.critical and not rule.dry_run for rule in rules):
        yield Broken(
            ("watch", "signals"),
            "no access log is read, and no other signal is critical and decides: a release would be healthy without a "
            "single sample; set probe.critical = true, or configure the access log",
        )


def _bound(rule: SignalRule) -> str:
    if rule.gauge is not None:
        return f"{rule.name} is measured as a number: write one, for example above = 200"
    return f'{rule.name} counts bad events of all: write a percentage, for example above = "2%"'


def flow_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from unique("watch.flows", watch.flows)


def flows_name_services(watch: Watch, services: Sequence[Service]) -> Iterator[Broken]:
    known = [service.name for service in services]
    for index, flow in enumerate(watch.flows):
        place = ("watch", "flows", index)
        if flow.service not in known:
            yield Broken((*place, "service"), unknown(flow.service, "[[services]]", known))
        for number, step in enumerate(flow.steps):
            if step.service is not None and step.service not in known:
                yield Broken((*place, "steps", number, "service"), unknown(step.service, "[[services]]", known))


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
            yield Broken(("watch", "sql", index, "database"), unknown(signal.database, "[[databases]]", known))


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
            yield Broken(("watch", "http_json", index, "service"), unknown(signal.service, "[[services]]", known))


def log_line_names_are_unique(watch: Watch) -> Iterator[Broken]:
    yield from unique("watch.log_lines", watch.log_lines)


def log_lines_have_a_log(watch: Watch, environments: Environments) -> Iterator[Broken]:
    for colour in Colour:
        environment = environments.of(colour)  # units have their journal, containers their engine's log
        if watch.log_lines and environment.runner == "command" and environment.follow is None:
            yield Broken(
                ("environments", colour.value, "follow"),
                f"is not set, but [[watch.log_lines]] {watch.log_lines[0].name} needs the log of both colours: write "
                'the command that prints it as it is written, for example follow = ["journalctl", "-f", "-n", "0", '
                '"-u", "app@{colour}"]',
            )


WATCH_RULES: tuple[Rule, ...] = (
    route_names_are_unique,
    routes_name_a_service,
    limit_names_are_unique,
    limits_name_a_signal,
    something_decides,
    something_decides_without_a_log,
    flow_names_are_unique,
    flows_name_services,
    signal_names_are_unique,
    sql_signals_name_a_database,
    sql_signals_can_tell_colours_apart,
    http_signals_name_a_service,
    log_line_names_are_unique,
    log_lines_have_a_log,
)
