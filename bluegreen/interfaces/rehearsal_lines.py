"""A rehearsal as lines for people: what each file would do to the version that runs, and what to write instead."""

from pathlib import PurePath

from bluegreen.app.upkeep_answers import ContractPlan, Held, MigratedByHand
from bluegreen.domain.findings import Evidence, FileVerdict, Finding, Gate, Rehearsal
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, faint, mark, strong

GLYPHS = {Gate.ALLOW: text.DONE, Gate.WARN: text.WARNING, Gate.REFUSE: text.FAILED}

VERDICTS = {
    Gate.ALLOW: "the version that runs keeps working",
    Gate.WARN: "the version that runs keeps working; read what is warned of",
    Gate.REFUSE: "a deployment would be given up before anything is applied",
}

QUERIES = 3
"""Broken queries that are shown of one finding; -o json has all."""

QUERY_LENGTH = 100

INSTANT = 0.1
"""Seconds, on production, that nobody needs to tell apart."""


def rehearsal_lines(rehearsal: Rehearsal) -> list[str]:
    """The whole rehearsal, the verdict first."""
    given, rehearsal = rehearsal, cleaned(rehearsal)
    if not rehearsal.files:
        return [f"{mark(text.NOTHING)} no migration is pending: there is nothing to rehearse", *_unseen(rehearsal)]
    where = f"on a copy of the {rehearsal.copied}" if rehearsal.copied else "read, not run"
    took = f"{_counted(rehearsal)} {where}, {duration(rehearsal.seconds)}"
    first = f"{mark(GLYPHS[rehearsal.gate])} {strong(rehearsal.gate)}: {VERDICTS[rehearsal.gate]}  {faint(took)}"
    return [
        first,
        *(line for verdict, raw in zip(rehearsal.files, given.files, strict=True) for line in _file(verdict, raw)),
        *_unseen(rehearsal),
    ]


def contract_plan_lines(plan: ContractPlan) -> list[str]:
    """What a contract would do, and what is over then."""
    plan = cleaned(plan)
    held = _held(plan.held)
    if not plan.due:
        return [f"{mark(text.NOTHING)} no contract migration is due", *held]
    lines = [f"{mark(text.WARNING)} back up, rehearse and apply beside {strong(plan.serving)}:"]
    lines += [f"    {label}" for label in plan.due]
    lines += [
        f"  {mark(text.WARNING)} {label} has no expand of its own: does {plan.serving} do without what it drops?"
        for label in plan.alone
    ]
    closes = ", ".join(plan.closes) or "what served before it"
    lines.append(f"  {mark(text.WARNING)} the point of no return: {closes} cannot serve again on this schema")
    return [*lines, *held]


def migrated_lines(done: MigratedByHand) -> list[str]:
    """What was applied by hand."""
    done = cleaned(done)
    held = _held(done.held)
    if not done.applied:
        return [f"{mark(text.NOTHING)} nothing was due", *held]
    lines = [f"{mark(text.DONE)} {strong(label)} is applied" for label in done.applied]
    lines += [f"  backup    {backup.id}" for backup in done.backups]
    lines += [f"  proved    {done.proved}"] if done.proved else []
    return [*lines, *(f"  {mark(text.WARNING)} {warning}" for warning in done.warnings), *held]


def _counted(rehearsal: Rehearsal) -> str:
    count = len(rehearsal.files)
    return "1 migration" if count == 1 else f"{count} migrations"


def _file(verdict: FileVerdict, raw: FileVerdict) -> list[str]:
    """`raw` has the remedies line by line."""
    name = PurePath(verdict.file).name if verdict.file else verdict.label
    lines = [f"{mark(GLYPHS[verdict.gate])} {verdict.gate:<7} {strong(name)}"]
    for finding, given in zip(verdict.findings, raw.findings, strict=True):
        if finding.gate is not Gate.ALLOW or finding.accepted:
            lines += _finding(name, finding, text.block(given.remedy))
    return lines


def _finding(name: str, finding: Finding, remedy: list[str]) -> list[str]:
    place = f"{name}:{finding.line}" if finding.line else name
    lines = [f"    {mark(GLYPHS[finding.weight])} {place}  {finding.message}  {faint(finding.kind)}"]
    cost = ", ".join(filter(None, [_locked(finding), _estimated(finding)]))
    lines += [f"        locks       {cost}"] if cost else []
    lines += [f"        breaks      {_query(evidence)}" for evidence in finding.evidence[:QUERIES]]
    more = len(finding.evidence) - QUERIES
    lines += [f"        breaks      {more} more queries of the version that runs"] if more > 0 else []
    if finding.accepted:
        return [*lines, f"        accepted    {finding.accepted}"]
    first, *rest = remedy or [""]
    return lines + ([f"        write instead: {first}"] if first else []) + [f"            {line}" for line in rest]


def _locked(finding: Finding) -> str:
    table = finding.table or finding.object
    return f"{finding.lock} on {table}" if finding.lock and table else finding.lock


def _estimated(finding: Finding) -> str:
    if finding.estimate_s is None:
        return ""
    low, high = finding.estimate_s
    if high < INSTANT:
        return "for a moment"
    return f"for {duration(low)} to {duration(high)}" if low >= INSTANT else f"for up to {duration(high)}"


def _query(evidence: Evidence) -> str:
    query = " ".join(evidence.query.split())
    short = query if len(query) <= QUERY_LENGTH else f"{query[: QUERY_LENGTH - 1]}…"
    calls = f", called {evidence.calls:,} times" if evidence.calls is not None else ""
    return f"{short}  {faint(f'{evidence.sqlstate} {evidence.message}{calls}'.strip())}"


def _unseen(rehearsal: Rehearsal) -> list[str]:
    return [f"  {mark(text.WARNING)} not seen: {what}" for what in rehearsal.not_seen]


def _held(held: tuple[Held, ...]) -> list[str]:
    lines = [f"  {mark(text.NOTHING)} {item.migration} stays pending: {item.reason}" for item in held]
    reasons = [item.reason for item in held]
    expanding = any("its expand" in reason and "must be done first" in reason for reason in reasons)
    filling = any("backfill" in reason for reason in reasons)
    todo = ["bluegreen migrate up"] * expanding + ["bluegreen migrate backfill"] * filling
    return lines + (commands(tuple(todo)) if todo else [])
