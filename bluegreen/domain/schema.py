"""Is this migration safe for the version that is running? What was seen in its rehearsal becomes findings.

The catalogue's changes, the locks, the live queries and production's rows each have their say; the strictest counts.
What was run is judged by what it did; what could not be run, by its text.
"""

from collections.abc import Iterator
from dataclasses import replace

from bluegreen.domain.breaks import breaks
from bluegreen.domain.breaks_constraints import brings_its_parent
from bluegreen.domain.catalogue import Thing
from bluegreen.domain.differences import Look, last_part
from bluegreen.domain.findings import Evidence, FileVerdict, Finding, Gate
from bluegreen.domain.inserts import filled
from bluegreen.domain.kinds import KINDS, NEVER_RUN
from bluegreen.domain.kinds_of_changes import NAMES as CHANGES
from bluegreen.domain.marks import Mark
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.rows import ABOUT, changed_rows, existing, misfit, written_by_code
from bluegreen.domain.seen import FileSeen, LockSeen, QuerySeen, StatementSeen
from bluegreen.domain.weights import size_of, stronger, update_seconds, weights

__all__ = ["NEVER_RUN", "judge"]

SHORT = 200
"""Characters of a statement that are shown."""

WORDS = {"matview": "materialised view", "foreign_table": "foreign table", "text_search": "text search configuration"}


def judge(seen: FileSeen) -> FileVerdict:
    """The verdict on one migration, from everything that was seen of it. Never raises."""
    migration = seen.migration
    look = Look(seen.before, seen.after)
    found = [*_dangers(seen, look), *_changes(seen, look), *_errors(seen), *_weights(seen, look), *_queries(seen)]
    found += _probes(seen)
    findings = tuple(_accepted(seen, _once(found)))
    return FileVerdict(
        migration.database,
        migration.source,
        migration.version,
        migration.phase,
        migration.kind,
        migration.file,
        migration.checksum,
        findings,
    )


def _finding(
    seen: FileSeen, kind: str, message: str, object: str = "", statement: StatementSeen | None = None, table: str = ""
) -> Finding:
    known, phase = KINDS[kind], seen.migration.phase
    # What an expand must not do is what a contract is for: "do it in a contract file" is no advice there.
    meant = phase is MigrationPhase.CONTRACT and known.contract is not Gate.REFUSE and known.expand is Gate.REFUSE
    lock = stronger(statement.locks, table) if statement is not None and table else ""
    holder = seen.before.get(table) or seen.after.get(table)
    names = {
        "object": object,
        "table": holder.name if holder else object,
        "name": last_part(object.partition(" on ")[0]),
    }
    return Finding(
        kind,
        known.gate(phase),
        message,
        "" if meant else known.remedy.format(**names),
        statement.line if statement is not None else 0,
        short(statement.text) if statement is not None else "",
        object,
        lock,
        table=holder.name if holder else "",
    )


def short(text: str) -> str:
    """A statement on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= SHORT else line[: SHORT - 1] + "…"


def _unseen(statement: StatementSeen) -> bool:
    """Whether nobody saw what it does: it failed, or was not run."""
    failed = statement.error is not None and not statement.error.needs_rows
    return failed or (not statement.before and not statement.after)


def _dangers(seen: FileSeen, look: Look) -> Iterator[Finding]:
    had: tuple[LockSeen, ...] = ()
    for statement in seen.statements:
        backfill = seen.migration.phase is MigrationPhase.BACKFILL
        for kind, object in statement.dangers:
            if not (backfill and kind in ABOUT):
                yield from _danger(seen, look, statement, kind, object)
        if not backfill:
            for kind, name, says in written_by_code(seen, look, statement, had):
                yield _finding(seen, kind, f"{name} {says}", name, statement, _key(look, name))
        had = statement.locks


def _danger(seen: FileSeen, look: Look, statement: StatementSeen, kind: str, object: str) -> Iterator[Finding]:
    """What one thing that the text says comes to."""
    if kind in ABOUT:
        for what, name, says in changed_rows(seen, look, kind, object):
            seconds = update_seconds(size_of(seen, existing(look, name))) if what.startswith("unbatched-") else None
            finding = _finding(seen, what, f"{name} {says}", name, statement, _key(look, name))
            yield replace(finding, estimate_s=seconds)
    elif kind == "sequence-moved":
        if not object or not look.before or existing(look, object, frozenset({"sequence", "table"})):
            yield _finding(seen, kind, f"{object or 'a sequence'} is set to start elsewhere", object, statement)
    elif kind == "rows-may-not-fit":
        if not seen.with_rows and (says := misfit(look, object)):
            yield _finding(seen, kind, f"it {says}", "", statement)
    elif kind in KINDS and (kind not in CHANGES or _unseen(statement)):
        yield _finding(seen, kind, f"{object or 'it'}: {_in_a_sentence(KINDS[kind].meaning)}", object, statement)


def _in_a_sentence(meaning: str) -> str:
    """A meaning after a colon."""
    first = meaning[0] if meaning[1].isupper() else meaning[0].lower()
    return first + meaning[1:].removesuffix(".")


def _key(look: Look, name: str) -> str:
    thing = existing(look, name)
    return thing.key if thing is not None else ""


def _changes(seen: FileSeen, look: Look) -> Iterator[Finding]:
    backfill = seen.migration.phase is MigrationPhase.BACKFILL
    for difference in look.differences if backfill else ():
        if difference.fields != ("position",):
            thing = difference.thing
            says = f"{_named(thing)} is {difference.how}"
            yield _finding(seen, "not-a-backfill", says, thing.name, _place(seen, thing))
    for mark in breaks(look):
        if _answered(seen, look, mark):
            continue
        if not backfill or mark.kind == "sequence-moved":
            mark = _by_inserts(seen, look, mark)
            table = look.table(mark.thing)
            says = f"{_named(mark.thing)} {mark.says}{_tried(seen, mark)}"
            key = table.key if table else ""
            yield _finding(seen, mark.kind, says, mark.thing.name, _place(seen, mark.thing), key)


def _answered(seen: FileSeen, look: Look, mark: Mark) -> bool:
    """Whether rows were asked about it, production's or those that the file brings, and nothing stood in the way."""
    if mark.kind == "foreign-key-added":
        return brings_its_parent(look, mark.thing) and not any(statement.error for statement in seen.statements)
    if mark.kind == "default-partition-scanned":
        asked = [probe.found for probe in seen.probes if probe.kind == "partition"]
        return seen.with_rows or (bool(asked) and not any(found is None or found for found in asked))
    if mark.kind == "may-fail-on-rows":
        size = size_of(seen, seen.before.get(mark.thing.of))
        worked = any(p.kind == "failures" and p.key == mark.thing.key and p.found == 0 for p in seen.probes)
        return worked and size is not None and size.rows > 0
    return False


def _by_inserts(seen: FileSeen, look: Look, mark: Mark) -> Mark:
    """A default counts for INSERTs that leave its column out: where they are known, they decide."""
    table, now = look.table(mark.thing), look.after.get(mark.thing.key)
    if mark.kind not in ("default-changed", "default-added") or table is None or now is None:
        return mark
    fills = filled(seen.queries, table.name, mark.thing.name)
    first = not mark.thing.facts.get("default") and not now.facts.get("identity")
    if mark.kind == "default-added" and fills is False and first:
        return replace(mark, kind="default-changed")
    if mark.kind == "default-changed" and fills:
        return replace(mark, kind="default-added", says=f"{mark.says}; all known INSERTs fill it")
    return mark


def _tried(seen: FileSeen, mark: Mark) -> str:
    """Whether anybody tried the view that stands in for a table."""
    if mark.kind != "renamed-with-view" or any(query.verifiable for query in seen.queries):
        return ""
    return "; no query of the running version is known that tried it"


def _named(thing: Thing) -> str:
    word = WORDS.get(thing.kind, thing.kind)
    return thing.name if thing.name.startswith(f"{word} ") else f"{word} {thing.name}"


def _place(seen: FileSeen, thing: Thing) -> StatementSeen | None:
    """The statement that changed it; where catalogues do not tell, the one that names it."""
    for statement in seen.statements:
        if statement.before.get(thing.key) != statement.after.get(thing.key):
            return statement
    if len(seen.statements) == 1:
        return seen.statements[0]
    own = last_part(thing.name.partition(" on ")[0]).strip('"').lower()
    return next((s for s in seen.statements if own in s.text.lower()), None)


def _errors(seen: FileSeen) -> Iterator[Finding]:
    for statement in seen.statements:
        if statement.error is None:
            continue
        error = statement.error
        code = f" ({error.sqlstate})" if error.sqlstate and error.sqlstate not in error.message else ""
        if error.needs_rows:
            says = f"with rows of ours on the copy: {error.message}{code}. What production's rows do is not known"
            yield _finding(seen, "not-seen", says, "", statement)
        else:
            yield _finding(seen, "error", f"{error.message}{code}", "", statement)
        if seen.half_done:
            yield _finding(seen, "half-done", "what ran before this statement stays", "", statement)


def _weights(seen: FileSeen, look: Look) -> Iterator[Finding]:
    for weight in weights(seen, look):
        finding = _finding(
            seen, weight.kind, f"{weight.name} {weight.says}", weight.name, weight.statement, weight.table
        )
        yield replace(finding, lock=weight.lock, estimate_s=weight.seconds)


def _queries(seen: FileSeen) -> Iterator[Finding]:
    contract = seen.migration.phase is MigrationPhase.CONTRACT
    groups: dict[tuple[str, str], list[Evidence]] = {}
    for query in seen.queries:
        if query.verifiable and (said := _said_of(query)):
            kind, message = said
            if contract and not query.running and kind != "result-shape-changed":
                kind = "query-of-another-version"
            evidence = Evidence(query.text, query.sqlstate, query.message or message, query.calls)
            groups.setdefault((kind, message), []).append(evidence)
    for (kind, message), alike in groups.items():
        calls = sorted(alike, key=lambda item: -(item.calls or 0))
        place = _named_in(seen, message)
        text = f"{message}: {short(calls[0].query)}" + (f" and {len(calls) - 1} more" if len(calls) > 1 else "")
        yield replace(_finding(seen, kind, text, "", place), evidence=tuple(calls))


def _said_of(query: QuerySeen) -> tuple[str, str] | None:
    if query.sqlstate or (query.message and not query.shape_changed and not query.missing):
        return "query-broken", f"{query.message or 'it fails'} ({query.sqlstate or 'no SQLSTATE'})"
    if query.missing:
        return "insert-misses-column", f"does not fill {', '.join(query.missing)}"
    if query.shape_changed:
        return "result-shape-changed", query.shape_changed
    return None


def _named_in(seen: FileSeen, message: str) -> StatementSeen | None:
    """The statement that a broken query is due to, as far as the message names what is missing."""
    if len(seen.statements) == 1:
        return seen.statements[0]
    names = {
        part.strip('",.').rpartition(".")[2].strip('"').lower()
        for part in message.split()
        if '"' in part or "." in part
    }
    return next((s for s in seen.statements if any(name and name in s.text.lower() for name in names)), None)


def _probes(seen: FileSeen) -> Iterator[Finding]:
    for probe in seen.probes:
        if probe.kind == "rows":
            continue
        thing = seen.after.get(probe.key) or seen.before.get(probe.key)
        place = _place(seen, thing) if thing is not None else None
        if probe.found is None:
            yield _finding(
                seen, "rows-unknown", f"{probe.name}, {probe.kind}: {probe.problem or 'no answer'}", probe.name, place
            )
        elif probe.found:
            yield _finding(
                seen, "rows-in-the-way", f"{probe.name}: {probe.found} or more rows ({probe.kind})", probe.name, place
            )


def _once(found: list[Finding]) -> list[Finding]:
    """Each thing once: what was seen, before what only a text says."""
    first: dict[tuple[str, str, str], Finding] = {}
    for finding in found:
        about = finding.object or finding.message
        key = (finding.kind, about, "" if finding.kind in CHANGES else str(finding.line))
        first.setdefault(key, finding)
    order = tuple(reversed(Gate))
    return sorted(first.values(), key=lambda f: (f.line, order.index(f.gate)))


def _accepted(seen: FileSeen, findings: list[Finding]) -> Iterator[Finding]:
    for finding in findings:
        reason = seen.accepted.get(finding.kind, "")
        yield replace(finding, accepted=reason) if reason and KINDS[finding.kind].acceptable else finding
    there = {finding.kind for finding in findings}
    for kind in seen.accepted:
        if kind not in there:
            yield _finding(seen, "accepted-nothing", f"{kind} is accepted, and was not found", kind)
