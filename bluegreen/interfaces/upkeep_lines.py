"""What upkeep shows to people: backups, checks, colours by hand, tests and the audit, as lines."""

from collections.abc import Sequence
from datetime import datetime

from bluegreen.app.requests import AlertEffect
from bluegreen.app.upkeep_answers import ByHand, Delivery, HookTest
from bluegreen.domain.migrations import Backup
from bluegreen.domain.records import AuditRow
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, mark, strong

COMPARED = {"checksum": "restored, every row is the same", "count": "restored, row counts agree"}
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell; the first holds glyphs."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([mark(row[0]) if row[0] else cells[0], *cells[1:]]).rstrip())
    return lines


def size(count: int) -> str:
    """Bytes as people say them."""
    amount, unit = float(count), UNITS[0]
    for unit in UNITS:
        if amount < 1024 or unit == UNITS[-1]:
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def backup_lines(backups: Sequence[Backup], now: datetime) -> list[str]:
    """One line a backup; those that are needed say for what."""
    if not backups:
        return ["There is no backup yet.", *commands(("bluegreen backup now",))]
    rows = [_backup(backup, now) for backup in map(cleaned, backups)]
    return table(("", "ID", "DATABASE", "TAKEN", "AGE", "SIZE", "ROWS", "RELEASE", "VERIFIED", "NEEDED"), rows)


def _backup(backup: Backup, now: datetime) -> tuple[str, ...]:
    age = duration(max(0.0, (now - backup.taken_at).total_seconds()))
    how = f"{backup.verified}, {backup.compared}" if backup.compared else backup.verified
    described = backup.database, text.moment(backup.taken_at), age, size(backup.size), f"{backup.rows:,}"
    return text.WARNING if backup.notes else "", backup.id, *described, backup.release, how, backup.needed


def taken_lines(backups: Sequence[Backup]) -> list[str]:
    """Backups that were just taken."""
    return [line for backup in backups for line in _checked(cleaned(backup), "is taken and verified")]


def verified_lines(backup: Backup) -> list[str]:
    """A backup that was verified again."""
    return _checked(cleaned(backup), "is good")


def _checked(backup: Backup, verdict: str) -> list[str]:
    how = COMPARED.get(backup.compared, "restored") if backup.verified == "restore" else "read to its end"
    amount = f"{backup.rows:,} rows in {backup.tables} tables, {size(backup.size)}"
    return [
        f"{mark(text.DONE)} {strong(backup.id)} {verdict}: {how} ({amount}, {duration(backup.seconds)})",
        f"  {backup.file}",
        *[f"  {mark(text.WARNING)} {note}" for note in backup.notes],
    ]


def by_hand_lines(done: ByHand) -> list[str]:
    """A colour that was started or stopped."""
    colour = done.colour
    if not done.release:
        return [f"{mark(text.DONE)} {colour} is stopped", *_printed(done.output)]
    first = f"{mark(text.DONE)} {colour} is started with {strong(text.clean(done.release))}; users are not on it"
    return [first, *_printed(done.output), *commands((f"bluegreen env smoke {colour}", f"bluegreen env down {colour}"))]


def taken_over_lines(done: ByHand) -> list[str]:
    """Live-only services that were started by an operator's word."""
    first = f"{mark(text.DONE)} the live-only services of {strong(text.clean(done.release))} run on {done.colour}"
    return [first, *_printed(done.output), *commands(("bluegreen status",))]


def _printed(output: str) -> list[str]:
    return [text.faint(f"  | {line}") for line in text.block(output)]


def delivered_line(delivery: Delivery) -> str:
    """A receiver took the test."""
    name = text.clean(delivery.name)
    return f"{mark(text.DONE)} {name} took the test notice ({duration(delivery.seconds)}); look whether it arrived"


def hook_lines(test: HookTest) -> list[str]:
    """A hook works; what a firing alert would do now."""
    test = cleaned(test)
    first = (
        f"{mark(text.DONE)} hook {test.hook} works: {test.listen} took a resolved alert ({test.effect}: {test.reason})"
    )
    if test.firing is AlertEffect.CUTBACK:
        return [first, f"  {mark(text.WARNING)} one that fires now would cut back"]
    return [first, f"  one that fires now would only be recorded: {test.why}"]


def audit_lines(rows: Sequence[AuditRow]) -> list[str]:
    """One line an action, the latest first."""
    if not rows:
        return ["Nobody did anything yet."]
    shown = [
        ("", text.moment(row.at), row.who, row.origin, row.verb, row.deployment, _change(row), row.reason)
        for row in map(cleaned, rows)
    ]
    return table(("", "WHEN", "WHO", "FROM", "WHAT", "DEPLOYMENT", "CHANGE", "WHY"), shown)


def _change(row: AuditRow) -> str:
    return " → ".join(dict.fromkeys(part for part in (row.before, row.after) if part))
