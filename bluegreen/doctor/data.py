"""The shared databases: reachable, with the programs and rights that a backup needs, their ledger, free connections."""

from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.domain.errors import OutsideError
from bluegreen.domain.migrations import PENDING, DatabaseFacts, SchemaState
from bluegreen.ports_database import Database
from bluegreen.settings import Settings


async def database(settings: Settings, each: Database, report: Report) -> Findings:
    """One database. Nothing is written: also the directory of the backups is looked at elsewhere."""
    facts = await each.facts()
    found = [report.ok(f"Postgres {facts.major} answers, {facts.size / 2**30:.1f} GiB, {_connections(facts)}")]
    found += _room(settings, each, facts, report)
    if settings.backup.directory.is_dir():
        found += await _backup(each, report)
    elif settings.backup.verify == "restore" and not facts.may_create_database:
        found.append(report.fail("the role may not make a scratch database", "ALTER ROLE the_role_of_the_dsn CREATEDB"))
    return [*found, *await _ledger(each, report)]


def _connections(facts: DatabaseFacts) -> str:
    return f"{facts.connections} of {facts.max_connections} connections in use"


def _room(settings: Settings, each: Database, facts: DatabaseFacts, report: Report) -> list[Finding]:
    budget = next((db.connections for db in settings.databases if db.name == each.name), None)
    free = facts.max_connections - facts.reserved - facts.connections
    if budget is None or budget <= free:
        return []
    detail = f"a second colour may open {budget} connections, and {free} of {facts.max_connections} are free"
    return [report.fail(detail, "raise max_connections, or lower [[databases]] connections and the pools")]


async def _backup(each: Database, report: Report) -> list[Finding]:
    try:
        warnings = await each.check_backup_possible()
    except OutsideError as exc:
        return [report.error(exc)]
    return [report.warn(warning) for warning in warnings] or [report.ok("a backup is possible: programs, rights, room")]


async def _ledger(each: Database, report: Report) -> list[Finding]:
    try:
        schema = await each.schema()
    except OutsideError as exc:
        return [report.error(exc)]
    states = schema.migrations
    changed = [item.label for item in states if item.changed and not item.reformatted]
    failed = [item.label for item in states if item.state in ("failed", "interrupted", "running")]
    pending = sum(item.state == PENDING for item in states)
    if changed:
        detail = f"the file of {', '.join(changed)} is not the one that was applied: a deployment will be refused"
        return [report.fail(detail, "bluegreen migrate status")]
    if failed:
        return [report.warn(f"{', '.join(failed)} did not end well", "bluegreen migrate status")]
    if odd := _oddities(schema):
        return [report.warn(odd, "bluegreen migrate status")]
    return [report.ok(f"the ledger has {len(states) - pending} migrations, {pending} pending")]


def _oddities(schema: SchemaState) -> str:
    """What hurts nobody today and should be looked at."""
    found = []
    if schema.drift is not None:
        found.append(f"the schema was changed past bluegreen since {schema.drift.since}: {schema.drift.things[0]}")
    if schema.invalid_indexes:
        found.append(f"INVALID: {', '.join(schema.invalid_indexes)}")
    if missing := [state.label for state in schema.migrations if state.missing]:
        found.append(f"the file of {', '.join(missing)} is gone")
    return "; ".join(found)
