"""What is shown to people who are about to put a backup into service, and afterwards."""

from datetime import datetime

from bluegreen.app.upkeep_answers import ByHandCommands
from bluegreen.domain.migrations import Backup
from bluegreen.domain.restorations import Losses, Restored, TableLoss
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, mark, strong

LEDGER = "bluegreen."
"""The schema of our own tables: what is lost of them is told by the migrations."""

SHOWN = 20
"""Tables that are shown, those with the most lost rows first."""


def command_lines(found: ByHandCommands) -> list[str]:
    """The lines as they are typed: nothing of ours stands before them."""
    return [text.clean(line) for line in found.lines]


def loss_lines(losses: Losses, now: datetime) -> list[str]:
    """What goes out of service, and who is in the way."""
    losses = cleaned(losses)
    backup, database = losses.backup, strong(losses.backup.database)
    age = duration((now - backup.taken_at).total_seconds())
    return [
        f"{mark(text.WARNING)} {database} goes back to {text.moment(backup.taken_at)}, {age} ago ({backup.id}).",
        "  All that was written since goes out of service; the present database is kept under another name.",
        *_tables(losses),
        *[f"  {label} was applied since: it will be pending again" for label in losses.migrations],
        *([f"  not compared row by row: {_some(losses.unseen)}"] if losses.unseen else []),
        *[f"  {mark(text.WARNING)} {warning}" for warning in losses.warnings],
        *[f"  in it now: {session.described}" for session in losses.sessions[:SHOWN]],
    ]


def _tables(losses: Losses) -> list[str]:
    told = [table for table in losses.tables if not table.table.startswith(LEDGER)]
    if not told:
        return ["  As far as that was compared, every row is as it was then."]
    tables = sorted(told, key=_lost, reverse=True)
    more = [f"  and {len(tables) - SHOWN} more (-o json)"] if len(tables) > SHOWN else []
    return [*[f"  {table.table}: {_change(table)}" for table in tables[:SHOWN]], *more]


def _lost(table: TableLoss) -> int:
    return (table.now or 0) - (table.then or 0)


def _change(table: TableLoss) -> str:
    if table.then is None:
        return f"is new, with {_rows(table.now or 0)}: all of it"
    if table.now is None:
        return f"is gone since, and comes back with {_rows(table.then)}"
    about = "" if table.exact else "about "
    if table.now == table.then:
        return f"{_rows(table.then)} then and now, but not the same" if table.exact else f"about {_rows(table.now)}"
    return f"{_rows(table.then)} then, {about}{table.now:,} now"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def unknown_lines(backup: Backup, why: str) -> list[str]:
    """What goes out of service cannot be measured: that may be why it goes."""
    return [
        f"{mark(text.WARNING)} {strong(text.clean(backup.database))} goes back to {text.moment(backup.taken_at)}.",
        f"  What was written since goes out of service, and cannot be measured: {text.clean(why)}",
    ]


def question(backup: Backup, *, stop_colours: bool) -> str:
    """What is asked before it is done."""
    first = "Both colours are stopped now, and users get errors until it is done. " if stop_colours else ""
    return f"{first}To go back, type the name of the database ({text.clean(backup.database)})"


def restored_lines(restored: Restored) -> list[str]:
    """It is in service; where the former one is, and what is to be looked at."""
    restored = cleaned(restored)
    first = f"{strong(restored.backup.database)} is {restored.backup.id} again ({duration(restored.seconds)})"
    present = f", and dumped as {restored.present}" if restored.present else ""
    cut = f", {restored.ended} sessions were ended" if restored.ended else ""
    return [
        f"{mark(text.DONE)} {first}",
        f"  nobody could connect for {restored.shut_out:.2f} s{cut}",
        f"  the former database is kept as {restored.kept}{present};",
        f'  when nobody needs it any more: DROP DATABASE "{restored.kept}"',
        *[_colour(each.colour, each.release, each.problem) for each in restored.colours],
        *[f"  {mark(text.WARNING)} {warning}" for warning in restored.warnings],
        "  The schema is that of the backup: the live release may need migrations that are pending again.",
        *commands(("bluegreen migrate status", "bluegreen env smoke blue", "bluegreen env smoke green")),
    ]


def _colour(colour: str, release: str, problem: str) -> str:
    if problem:
        return f"  {mark(text.WARNING)} {colour} was started again with {release}, and is not well: {problem}"
    return f"  {mark(text.DONE)} {colour} runs {release} again and passes its checks"
