"""What must agree between sections. Each rule names, by its parameters, the sections it looks at.

So a rule runs whenever its sections are sound by themselves, also when others are not: one run of the daemon tells
everything that is wrong with a file.
"""

from collections.abc import Iterator, Sequence
from inspect import signature
from typing import Any

from bluegreen.domain.traffic import Colour
from bluegreen.settings.entrance import Balancer
from bluegreen.settings.rule import Broken, Rule, unique, unknown
from bluegreen.settings.rules_cloudflare import CLOUDFLARE_RULES
from bluegreen.settings.rules_compose import COMPOSE_RULES
from bluegreen.settings.rules_smoke import SMOKE_RULES
from bluegreen.settings.rules_stack import STACK_RULES
from bluegreen.settings.rules_systemd import SYSTEMD_RULES
from bluegreen.settings.rules_watch import WATCH_RULES
from bluegreen.settings.sections import Caddy
from bluegreen.settings.sections_canary import Canary
from bluegreen.settings.sections_data import Database, Migration
from bluegreen.settings.sections_outside import Hooks, Notify
from bluegreen.settings.sections_stack import Environments, Service
from bluegreen.settings.sections_story import Deadlines, Retire
from bluegreen.settings.sections_watch import Watch
from bluegreen.settings.units import format_duration
from bluegreen.settings.values import same_place


def database_names_are_unique(databases: Sequence[Database]) -> Iterator[Broken]:
    yield from unique("databases", databases)


def migration_names_are_unique(migrations: Sequence[Migration]) -> Iterator[Broken]:
    yield from unique("migrations", migrations)


def service_names_are_unique(services: Sequence[Service]) -> Iterator[Broken]:
    yield from unique("services", services)


def receiver_names_are_unique(notify: Sequence[Notify]) -> Iterator[Broken]:
    yield from unique("notify", notify)


def migrations_name_a_database(migrations: Sequence[Migration], databases: Sequence[Database]) -> Iterator[Broken]:
    known = [database.name for database in databases]
    for index, migration in enumerate(migrations):
        if migration.database not in known:
            yield Broken(("migrations", index, "database"), unknown(migration.database, "[[databases]]", known))


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


def deadlines_leave_time_for_the_drain(
    deadlines: Deadlines, retire: Retire, environments: Environments
) -> Iterator[Broken]:
    slices = max(len(environments.of(colour).slices) for colour in Colour)
    needed = retire.drain + slices * retire.slice_pause
    if deadlines.retiring <= needed:
        given, parts = format_duration(deadlines.retiring), f" and {slices} times slice_pause" if slices else ""
        yield Broken(
            ("deadlines", "retiring"),
            f'"{given}" is not longer than [retire] drain{parts} ({format_duration(needed)}): the old colour would '
            "never be stopped in time",
        )


def a_cohort_spans_all_sites(canary: Canary, services: Sequence[Service]) -> Iterator[Broken]:
    sites = sorted({service.site.rpartition(":")[0] or service.site for service in services if service.site})
    if canary.cookie_domain is None:
        if canary.steps and len(sites) > 1:
            yield Broken(
                ("canary", "cookie_domain"),
                f"is needed for `steps`: the services have different sites ({', '.join(sites)}), and a user would meet "
                "both colours at once; write the domain that they share",
            )
        return
    for site in sites:
        if site != canary.cookie_domain and not site.endswith(f".{canary.cookie_domain}"):
            yield Broken(
                ("canary", "cookie_domain"),
                f'"{canary.cookie_domain}" does not hold {site}: no browser keeps such a cookie there',
            )


def a_fallback_has_one_address(caddy: Caddy, services: Sequence[Service]) -> Iterator[Broken]:
    several = [service.name for service in services if max(map(len, service.addresses.values())) > 1]
    if caddy.fallback_to_previous and several:
        yield Broken(
            ("caddy", "fallback_to_previous"),
            f"{several[0]} has several addresses per colour, and Caddy would ask the first one alone: set it to false",
        )


def traefik_can_do_what_is_asked(
    balancer: Balancer, caddy: Caddy, canary: Canary, services: Sequence[Service]
) -> Iterator[Broken]:
    if balancer != "traefik":
        return
    if caddy.fallback_to_previous:
        yield Broken(
            ("caddy", "fallback_to_previous"),
            'is for Caddy: with balancer = "traefik" nobody but this daemon sends users back; set it to false',
        )
    if canary.steps and len(services) > 1:
        yield Broken(
            ("canary", "steps"),
            f"Traefik remembers a user's colour for each service by itself, and there are {len(services)} services: a "
            "user would meet both colours at once; leave `steps` out",
        )
    if canary.preview is not None:
        yield Broken(
            ("canary", "preview"),
            "is for Caddy: with Traefik, write a router of your own for the idle colour; leave `preview` out",
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
    receiver_names_are_unique,
    migrations_name_a_database,
    each_address_is_of_one_colour,
    deadlines_leave_time_for_the_watch,
    deadlines_leave_time_for_the_drain,
    a_cohort_spans_all_sites,
    a_fallback_has_one_address,
    traefik_can_do_what_is_asked,
    hooks_have_a_listener,
    *CLOUDFLARE_RULES,
    *COMPOSE_RULES,
    *SYSTEMD_RULES,
    *STACK_RULES,
    *SMOKE_RULES,
    *WATCH_RULES,
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
