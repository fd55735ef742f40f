"""From settings to adapters: the only importer of `bluegreen.adapters`. Each function below wires one family."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.cards.file import FileCards
from bluegreen.adapters.checks.command import CommandCheck
from bluegreen.adapters.checks.expectations import Expectations, VersionAt
from bluegreen.adapters.checks.http import HttpCheck, HttpSpec
from bluegreen.adapters.checks.readiness import HttpReadiness
from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.database.rules import BackupRules, Source
from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.adapters.notifiers.command import CommandNotifier
from bluegreen.adapters.notifiers.webhook import Webhook
from bluegreen.adapters.notifiers.wishes import Wishes
from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.adapters.signals.probes import Probes
from bluegreen.app.boundaries import AtBoundary, pass_on
from bluegreen.app.world import World
from bluegreen.domain.migrations import MigrationKind
from bluegreen.domain.plans import Release, Terms
from bluegreen.domain.traffic import Colour, Service
from bluegreen.interfaces.hooks import HookRules
from bluegreen.interfaces.peers import Access
from bluegreen.logs import Masking
from bluegreen.ports import Checker, Clock, Database, Notifier, Readiness, Runner, SignalSource
from bluegreen.settings import Secret, Settings, read_release, revealed
from bluegreen.settings.sections_data import Migration as MigrationSettings
from bluegreen.settings.sections_outside import Notify as NotifySettings
from bluegreen.settings.sections_stack import Smoke as SmokeSettings


@asynccontextmanager
async def open_world(settings: Settings, state: Path, at_boundary: AtBoundary = pass_on) -> AsyncIterator[World]:
    """The world as configured, its journal, balancer and front door open; closed in reverse."""
    clock = SystemClock()
    services = _services(settings)
    async with AsyncExitStack() as stack:
        journal = SqliteJournal(state / "journal.sqlite")
        stack.push_async_callback(journal.close)
        await journal.open()
        balancer = await stack.enter_async_context(_balancer(settings, services, clock))
        front_door = await stack.enter_async_context(_front_door(settings, services))
        yield World(
            project=settings.project,
            services=services,
            terms=_terms(settings),
            contracts_after_standby=frozenset(m.name for m in settings.migrations if m.contract == "after-standby"),
            connection_budgets={d.name: d.connections for d in settings.databases if d.connections is not None},
            releases={c: str(settings.environments.of(c).release or "") for c in Colour},
            read_release=_release_reader(settings),
            balancer=balancer,
            front_door=front_door,
            runners={colour: _runner(settings, colour) for colour in Colour},
            readiness=_readiness(settings),
            smoke=tuple(_smoke(check, settings) for check in settings.smoke),
            sources=_sources(settings, services, front_door, clock),
            databases={database.name: database for database in _databases(settings)},
            notifiers=tuple(_notifier(receiver) for receiver in settings.notify),
            journal=journal,
            cards=FileCards(state / "cutback.json"),
            clock=clock,
            redact=Masking(revealed(settings)).text,
            at_boundary=at_boundary,
        )


def access(settings: Settings) -> Access:
    """Who may do what over the operators' socket."""
    rights = settings.access
    return Access(read=rights.read, cutback=rights.cutback, operate=rights.operate, admin=rights.admin)


def hook_rules(settings: Settings) -> Mapping[str, HookRules]:
    """The senders of alerts, by name."""
    return {
        name: HookRules(hook.kind, hook.token.get_secret_value(), hook.match, hook.effect)
        for name, hook in settings.hooks.named.items()
    }


def _services(settings: Settings) -> Mapping[str, Service]:
    return {
        service.name: Service(
            name=service.name,
            addresses=service.addresses,
            site=service.site,
            scheme=service.scheme,
            probe_path=service.probe_path,
            every_route=service.every_route,
        )
        for service in settings.services
    }


def _terms(settings: Settings) -> Terms:
    watch, advanced = settings.watch, settings.watch.advanced
    return Terms(
        deadlines=settings.phase_deadlines,
        auto_promote=settings.promotion.auto,
        window=watch.window,
        standby=watch.standby,
        on_blind=watch.on_blind,
        on_no_traffic=watch.on_no_traffic,
        min_effect=watch.min_effect,
        alpha=advanced.alpha,
        min_bad=advanced.min_bad,
        probe_failures=advanced.probe_failures,
        slow_factor=advanced.slow_factor,
        slow_floor=advanced.slow_floor,
        silent_after=advanced.silent_after,
        drain=settings.retire.drain,
        inspect=settings.retire.inspect,
    )


def _release_reader(settings: Settings) -> Callable[[str], Release]:
    return lambda name: read_release(settings.release.directory, name)


def _balancer(settings: Settings, services: Mapping[str, Service], clock: Clock) -> CaddyBalancer:
    caddy = settings.caddy
    return CaddyBalancer(
        caddy.admin,
        tuple(services.values()),
        timeout=caddy.timeout,
        clock=clock,
        directory=caddy.dir,
        allow_remote_admin=caddy.allow_remote_admin,
    )


def _front_door(settings: Settings, services: Mapping[str, Service]) -> HttpFrontDoor:
    caddy = settings.caddy
    return HttpFrontDoor(
        caddy.front_door,
        tuple(services.values()),
        timeout=settings.watch.probes.timeout,
        verify=caddy.front_door_verify,
    )


def _runner(settings: Settings, colour: Colour) -> Runner:
    environment = settings.environments.of(colour)
    return CommandRunner(
        colour,
        environment.up,
        environment.down,
        environment.logs or (),
        environment=_revealed(environment.environment),
        passed=environment.passed,
        timeout=environment.timeout,
        cwd=environment.directory,
    )


def _readiness(settings: Settings) -> tuple[Readiness, ...]:
    return tuple(
        HttpReadiness(
            service.name,
            path=service.ready.path,
            statuses=service.ready.status,
            consecutive=service.ready.consecutive,
            interval=service.ready.interval,
            timeout=service.ready.timeout,
        )
        for service in settings.services
    )


def _smoke(check: SmokeSettings, settings: Settings) -> Checker:
    if check.http is None:
        return CommandCheck(
            check.name,
            check.command or (),
            timeout=check.timeout,
            retries=check.retries,
            retry_delay=check.retry_delay,
            cwd=settings.file.parent if settings.file else None,
        )
    return HttpCheck(
        HttpSpec(
            name=check.name,
            service=check.service,
            method=check.http.method,
            path=check.http.path,
            headers=_revealed(check.http.headers),
            body=check.http.body.encode(),
            expect=_expectations(check),
            timeout=check.timeout,
            retries=check.retries,
            retry_delay=check.retry_delay,
        )
    )


def _expectations(check: SmokeSettings) -> Expectations:
    expect = check.expect
    return Expectations(
        status=expect.status,
        header=expect.header,
        body=expect.body or None,
        json=expect.json_,
        version=_version_at(expect.version) if expect.version else None,
    )


def _version_at(place: str) -> VersionAt:
    """ "json:/POINTER", "header:NAME", "body" or "body:REGEX", as the settings checked it."""
    source, _, where = place.partition(":")
    match source:
        case "json":
            return VersionAt("json", where)
        case "header":
            return VersionAt("header", where)
        case _:
            return VersionAt("body", where)


def _sources(
    settings: Settings, services: Mapping[str, Service], front_door: HttpFrontDoor, clock: Clock
) -> tuple[SignalSource, ...]:
    probes = settings.watch.probes
    sources: list[SignalSource] = [
        Probes(front_door, services, clock=clock, interval=probes.interval, timeout=probes.timeout)
    ]
    if settings.caddy.access_log is not None:
        sources.append(CaddyLog(settings.caddy.access_log, services, on_witness=front_door.witnessed, clock=clock))
    return tuple(sources)


def _databases(settings: Settings) -> list[Database]:
    backup = settings.backup
    rules = BackupRules(
        directory=backup.directory,
        verify=backup.verify,
        min_free=backup.min_free,
        keep=backup.keep,
        timeout=backup.timeout,
        bin_dir=backup.bin_dir,
        after=backup.after or (),
    )
    return [
        PostgresDatabase(
            database.name,
            database.dsn.get_secret_value(),
            project=settings.project,
            admin_database=database.admin_database,
            sources=[_source(migration) for migration in settings.migrations if migration.database == database.name],
            backup=rules,
        )
        for database in settings.databases
    ]


def _source(migration: MigrationSettings) -> Source:
    return Source(
        name=migration.name,
        kind=MigrationKind(migration.kind),
        directory=migration.directory,
        up=migration.up or (),
        status=migration.status or (),
        dsn_env=migration.dsn_env or "",
        environment=_revealed(migration.environment),
        timeout=migration.timeout,
        lock_timeout=migration.lock_timeout,
        lock_budget=migration.lock_budget,
    )


def _notifier(receiver: NotifySettings) -> Notifier:
    wishes = Wishes(receiver.events, receiver.severity)
    if receiver.url is not None:
        return Webhook(receiver.name, receiver.url.get_secret_value(), wishes=wishes, timeout=receiver.timeout)
    return CommandNotifier(receiver.name, receiver.command or (), wishes=wishes, timeout=receiver.timeout)


def _revealed(variables: Mapping[str, Secret]) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in variables.items()}
