"""From settings to adapters: the only importer of `bluegreen.adapters`. Each function below wires one family."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.cards.file import FileCards
from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.adapters.journals.opening import SCHEMA_VERSION
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.adapters.notifiers.command import CommandNotifier
from bluegreen.adapters.notifiers.webhook import Webhook
from bluegreen.adapters.notifiers.wishes import Wishes
from bluegreen.adapters.postgres.rules import BackupRules, Source
from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.adapters.signals.access_log import AccessLog
from bluegreen.adapters.signals.log_lines import LogLines
from bluegreen.adapters.signals.probes import Probes
from bluegreen.app.boundaries import AtBoundary, pass_on
from bluegreen.app.overhearing import Overhearing
from bluegreen.app.witness import Witness, nobody
from bluegreen.app.world import World
from bluegreen.domain.errors import RequestRefused
from bluegreen.domain.migrations import MigrationKind
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour, Service
from bluegreen.interfaces.hooks import HookRules
from bluegreen.interfaces.peers import Access
from bluegreen.logs import Masking
from bluegreen.ports import Cards, Clock, Notifier, SignalSource, Timed, untimed
from bluegreen.ports_database import Database
from bluegreen.ports_traffic import Arming, Balancer, FrontDoor, PointerDoor
from bluegreen.settings import Settings, read_release, revealed
from bluegreen.settings.sections_data import Migration as MigrationSettings
from bluegreen.settings.sections_outside import Notify as NotifySettings
from bluegreen.wiring_after import after_switch
from bluegreen.wiring_balancer import believe, lines_for_caddyfile, opened, sites
from bluegreen.wiring_balancer import way_back as way_back
from bluegreen.wiring_checks import continuity, readiness, revealed_values, smoke
from bluegreen.wiring_front_door import versions
from bluegreen.wiring_runners import runner
from bluegreen.wiring_signals import sources, terms
from bluegreen.wiring_stack import papers, release_rules, variables

STATE_FILE, STATE_VERSION = "journal.sqlite", SCHEMA_VERSION
"""The journal's name in the state directory, and the highest version of it that this program reads."""


@asynccontextmanager
async def open_world(
    settings: Settings,
    state: Path,
    at_boundary: AtBoundary = pass_on,
    timed: Callable[[str], Timed] = lambda _: untimed,
) -> AsyncIterator[World]:
    """The world as configured, its journal, balancer and front door open; closed in reverse. `timed` gives who is told
    of the exchanges with the "journal" and with "caddy"."""
    clock = SystemClock()
    services = _services(settings)
    async with AsyncExitStack() as stack:
        journal = SqliteJournal(state / STATE_FILE, timed=timed("journal"))
        stack.push_async_callback(journal.close)
        await journal.open()
        steered = await stack.enter_async_context(opened(settings, services, clock, timed("caddy")))
        await believe(steered.balancer, cards_in(state))
        configured = {c: str(settings.environments.of(c).release or "") for c in Colour}
        whose = Witness(journal, configured).colour
        front_door = await stack.enter_async_context(_front_door(settings, services, whose))
        overhearing = Overhearing()
        heard = sources(settings, services, front_door, clock, overhearing.take)
        yield World(
            project=settings.project,
            services=services,
            terms=terms(settings),
            contracts_after_standby=frozenset(m.name for m in settings.migrations if m.contract == "after-standby"),
            connection_budgets={d.name: d.connections for d in settings.databases if d.connections is not None},
            releases=configured,
            read_release=_release_reader(settings),
            balancer=steered.balancer,
            shares=steered.shares,
            arming=steered.arming,
            pointer_door=front_door if steered.arming is not None else None,
            in_flight=steered.in_flight,
            sites=sites(settings, state),
            preview=settings.canary.preview is not None,
            balancer_name=settings.entrance.name,
            glance=steered.glance,
            witnessed=settings.entrance.access_log is not None,
            versioned=frozenset(versions(settings)),
            front_door=front_door,
            runners={colour: runner(settings, colour, _begins_again(heard)) for colour in Colour},
            readiness=readiness(settings),
            smoke=smoke(settings),
            continuity=continuity(settings),
            after_switch=after_switch(settings),
            sources=heard,
            databases={database.name: database for database in databases(settings)},
            notifiers=notifiers(settings),
            journal=journal,
            cards=cards_in(state),
            clock=clock,
            redact=Masking(revealed(settings)).text,
            at_boundary=at_boundary,
            restores_drift=settings.entrance.on_drift == "restore",
            keep_deployments=settings.daemon.keep_deployments,
            migrates={m.name: m.database for m in settings.migrations if m.kind == "sql"},
            overhearing=overhearing,
            papers=papers(settings),
            variables=variables(settings, state),
            rules=release_rules(settings),
            observes=settings.automation == "observe",
        )


@dataclass(frozen=True, slots=True)
class Outside:
    """What lies outside, without state of our own: for looking at it. `log` is the access log, where one is read;
    `asked` are all other sources but the probes."""

    services: Mapping[str, Service]
    balancer: Balancer
    front_door: FrontDoor
    log: AccessLog | None
    databases: tuple[Database, ...]
    asked: tuple[SignalSource, ...] = ()
    arming: Arming | None = None
    pointer_door: PointerDoor | None = None


@asynccontextmanager
async def open_outside(settings: Settings) -> AsyncIterator[Outside]:
    """The parts outside as configured; no file of ours is opened, and nothing is changed."""
    clock, services = SystemClock(), _services(settings)
    async with opened(settings, services, clock) as steered, _front_door(settings, services) as door:
        found = sources(settings, services, door, clock)
        logs = [source for source in found if isinstance(source, AccessLog)]
        asked = tuple(source for source in found if not isinstance(source, AccessLog | Probes))
        yield Outside(
            services=services,
            balancer=steered.balancer,
            front_door=door,
            log=logs[0] if logs else None,
            databases=tuple(databases(settings)),
            asked=asked,
            arming=steered.arming,
            pointer_door=door,
        )


def cards_in(state: Path) -> Cards:
    """The cutback card of a state directory."""
    return FileCards(state / "cutback.json")


def caddyfile_lines(settings: Settings) -> str:
    """The lines for the Caddyfile with which mode "pointer" survives a reload. Raises RequestRefused in any other."""
    if settings.balancer != "caddy" or settings.caddy.mode != "pointer":
        raise RequestRefused(
            'these lines belong to [caddy] mode = "pointer", and the mode is another',
            next=("bluegreen config docs caddy.mode",),
        )
    return lines_for_caddyfile(settings, _services(settings))


def clock() -> Clock:
    """The machine's own clocks."""
    return SystemClock()


def notifiers(settings: Settings) -> tuple[Notifier, ...]:
    """Everyone who is to be told."""
    return tuple(_notifier(receiver) for receiver in settings.notify)


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
        for service in settings.routed
    }


def _release_reader(settings: Settings) -> Callable[[str], Awaitable[Release]]:
    return lambda name: asyncio.to_thread(read_release, settings.release.directory, name)


def _front_door(
    settings: Settings, services: Mapping[str, Service], whose: Callable[[str], Awaitable[Colour | None]] = nobody
) -> HttpFrontDoor:
    """`whose`: which colour a version is, asked where there is no access log."""
    entrance = settings.entrance
    return HttpFrontDoor(
        entrance.front_door,
        tuple(services.values()),
        timeout=settings.watch.probes.timeout,
        verify=entrance.verify,
        versions=versions(settings),
        whose=whose if entrance.access_log is None else None,
    )


def _begins_again(sources: Sequence[SignalSource]) -> Callable[[Colour], None] | None:
    """Whoever follows the colours' logs begins again where one was started."""
    return next((source.again for source in sources if isinstance(source, LogLines)), None)


def databases(settings: Settings) -> list[Database]:
    """The shared databases, in order."""
    backup = settings.backup
    rules = BackupRules(
        directory=backup.directory,
        verify=backup.verify,
        compare=backup.compare,
        min_free=backup.min_free,
        keep=backup.keep,
        timeout=backup.timeout,
        bin_dir=backup.bin_dir,
        after=backup.after or (),
    )
    named = {c: name for c in Colour if (name := settings.environments.of(c).application_name)}
    said = settings.rehearsal
    rehearsal = RehearsalRules(
        copy=said.source,
        max_size=said.max_size,
        timeout=said.timeout,
        statement_timeout=said.statement_timeout,
        probe_budget=said.probe_budget,
        queries=said.queries,
        tool_role=said.tool_role,
    )
    return [
        PostgresDatabase(
            database.name,
            database.dsn.get_secret_value(),
            project=settings.project,
            admin_database=database.admin_database,
            sources=[_source(migration) for migration in settings.migrations if migration.database == database.name],
            backup=rules,
            rehearsal=rehearsal,
            colour_sessions=named,
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
        environment=revealed_values(migration.environment),
        timeout=migration.timeout,
        lock_timeout=migration.lock_timeout,
        lock_budget=migration.lock_budget,
    )


def _notifier(receiver: NotifySettings) -> Notifier:
    wishes = Wishes(receiver.events, receiver.severity)
    if receiver.url is not None:
        return Webhook(receiver.name, receiver.url.get_secret_value(), wishes=wishes, timeout=receiver.timeout)
    return CommandNotifier(receiver.name, receiver.command or (), wishes=wishes, timeout=receiver.timeout)
