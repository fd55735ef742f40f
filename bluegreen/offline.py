"""`bluegreen cutback --offline`: the way back with the daemon dead or hung, by the cutback card and nothing else.

The configuration only says where the card lies, and may be broken. The card belongs to the daemon's user: where root
uses it, it is data, never a command, and no path in it is followed through a symlink.
"""

import asyncio
import fcntl
import os
import pwd
import re
import stat
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import structlog

from bluegreen.app.card_alone import RESTART, End, Order, Told, go_back, why_not_watched
from bluegreen.domain.errors import BluegreenError, ConfigurationError, JournalUnreadable
from bluegreen.domain.records import Notice
from bluegreen.domain.traffic import Card, Colour
from bluegreen.interfaces import text
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import OfflineCutback, Shell
from bluegreen.interfaces.peers import account, described
from bluegreen.ports import Notifier
from bluegreen.settings import Settings, load
from bluegreen.wiring import cards_in, clock, notifiers, way_back

DEFAULT_STATE = Path("/var/lib/bluegreen")

TELL = 10.0
"""Seconds for telling people what the failsafe did."""

TELL_AGAIN = 600.0
"""Seconds after which people are told once more that the failsafe cannot do it."""

TOLD = "failsafe-told"
"""The file beside the card that says what people were told last."""

CONNECT = 2.0
"""Seconds for a colour's address to take a connection."""

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Names of services that are no path."""

EXITS = {End.REFUSED: Exit.NOT_POSSIBLE, End.STUCK: Exit.STRANDED}


@dataclass(frozen=True, slots=True)
class Places:
    """What the configuration says, as far as it can be read: `note` says what could not."""

    state: Path
    reload: tuple[str, ...] = ()
    notifiers: tuple[Notifier, ...] = ()
    note: str = ""
    settings: Settings | None = None


class NotOurs(BluegreenError):
    """The state directory belongs to another user."""


def cut_back(shell: Shell, wish: OfflineCutback) -> Exit:
    """Do it, say what was done and what to type next, and return the exit code."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the answer
    places = find_places(wish.config)
    try:
        told = asyncio.run(_cut_back(places, wish))
    except NotOurs as exc:
        shell.fail(exc.detail, exc.next, Exit.NOT_PERMITTED)
    return _say(shell, places, told)


def find_places(file: Path) -> Places:
    """Where the state is. A configuration that cannot be used, and secrets that are not here, are no hindrance."""
    try:
        settings = load(file)
    except ConfigurationError as exc:
        return _from_what_is_legible(file, exc.detail.splitlines()[0])
    return Places(settings.daemon.state_dir, tuple(settings.entrance.reload), notifiers(settings), settings=settings)


def _from_what_is_legible(file: Path, problem: str) -> Places:
    document: dict[str, Any] = {}
    with suppress(OSError, ValueError):  # then everything is where it is by default
        document = tomllib.loads(file.read_text())
    section = document.get("daemon")
    found = section.get("state_dir") if isinstance(section, dict) else None
    written = os.environ.get("BLUEGREEN_DAEMON__STATE_DIR") or found
    state = file.resolve().parent / written if isinstance(written, str) else DEFAULT_STATE
    return Places(
        state, note=f"the configuration cannot be used ({problem}); the state directory is taken to be {state}"
    )


async def _cut_back(places: Places, wish: OfflineCutback) -> Told:
    owner = _owner(places.state)
    if owner is None:
        return Told(
            End.REFUSED,
            f"there is no state directory {places.state}",
            ("bluegreen config show   (daemon.state_dir)", "bluegreen cutback --offline --config FILE"),
        )
    order = Order(_caller(), wish.reason, wish.force, failsafe=wish.if_watched)
    told, card = await _by_card(places, owner, order)
    if order.failsafe and told.end in (End.BACK, End.STUCK) and not _told_lately(places.state / TOLD, told.end):
        told = replace(told, remarks=(*told.remarks, *await _tell_people(places, told, card)))
    return told


async def _by_card(places: Places, owner: int, order: Order) -> tuple[Told, Card | None]:
    cards = cards_in(places.state)
    try:
        card = await cards.read()
    except JournalUnreadable as exc:
        return Told(End.STUCK, exc.detail, ("correct the upstreams in Caddy by hand: docs/operations.md",)), None
    if card is None:
        words = f"there is no cutback card in {places.state}: bluegreen never moved traffic from here"
        end = End.NOTHING if order.failsafe else End.REFUSED
        return Told(end, words, ("bluegreen status", "bluegreen cutback --offline --config FILE")), None
    with _alone(places.state / "lock") as alone:
        why_not = why_not_watched(card) or ("" if alone else "a daemon runs, and decides by itself")
        if order.failsafe and why_not:
            return Told(End.NOTHING, f"nothing was done: {why_not}"), card
        card, remarks = _trusted(card, owner)
        if why_not := _untrusted_file(card, owner):
            commands = (f"sudo -u {account(owner)} bluegreen cutback --offline", f"ls -ld {Path(card.pointer).parent}")
            return Told(End.STUCK, why_not, commands, remarks), card
        try:
            async with way_back(card, owner, places.reload, places.settings) as balancer:
                told = await go_back(card, balancer, cards, clock(), order, dead)
        except ConfigurationError as exc:
            return Told(End.STUCK, exc.detail, RESTART, remarks), card
    return replace(told, remarks=(*remarks, *told.remarks)), card


def _owner(state: Path) -> int | None:
    """Whose directory it is; None where there is none. Raises NotOurs unless it is ours, or we are root."""
    try:
        owner = state.stat().st_uid
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise NotOurs(
            f"{state} cannot be looked at: {exc.strerror}", next=("sudo bluegreen cutback --offline",)
        ) from exc
    if os.geteuid() not in (0, owner):
        raise NotOurs(
            f"{state} belongs to {account(owner)}: this needs root or that user",
            next=("sudo bluegreen cutback --offline", "bluegreen cutback   (asks the daemon, where it still answers)"),
        )
    return owner


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Hold the daemon's lock, where it is free, so that none begins meanwhile; False where a daemon holds it."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _trusted(card: Card, owner: int) -> tuple[Card, tuple[str, ...]]:
    """The card without snippets where root would write to a place that another user chose through a symlink."""
    directory = Path(card.snippets)
    if os.geteuid() == owner or not card.snippets:
        return card, ()
    paths = [directory / f"{service.name}.caddy" for service in card.services]
    plain = all(PLAIN.fullmatch(service.name) for service in card.services) and directory.is_absolute()
    if plain and all(path.resolve() == path for path in paths if path.exists()):
        return card, ()
    remark = (
        f"the snippets in {directory} are not brought to {card.colour} by root, since symlinks lead there:"
        f" sudo -u {account(owner)} bluegreen cutback --offline"
    )
    return replace(card, snippets=""), (remark,)


def _untrusted_file(card: Card, owner: int) -> str:
    """Why root does not replace the file that a card names; "" where whoever wrote the card could do it, too."""
    directory = Path(card.pointer).parent
    if os.geteuid() == owner or not card.pointer:
        return ""
    if not directory.is_dir() or not directory.is_absolute() or directory.resolve() != directory:
        return f"root does not write {card.pointer}: there is no such directory, or symlinks lead there"
    found = directory.stat()
    group = found.st_gid in _groups(owner) and found.st_mode & stat.S_IWGRP
    if found.st_uid == owner or group or found.st_mode & stat.S_IWOTH:
        return ""
    return f"root does not write {card.pointer}: {account(owner)}, whose card names it, may not write there"


def _groups(uid: int) -> list[int]:
    with suppress(KeyError):
        user = pwd.getpwuid(uid)
        return os.getgrouplist(user.pw_name, user.pw_gid)
    return []


async def dead(card: Card) -> str:
    """Why the old colour cannot serve: a service of which no address takes a connection. "" where all can."""
    for service in card.services:
        faults = [await _refused(address) for address in service.addresses[Colour(card.colour)]]
        if all(faults):
            return f"{service.name}: {'; '.join(faults)}"
    return ""


async def _refused(address: str) -> str:
    host, _, port = address.removeprefix("tcp/").rpartition(":")
    try:
        async with asyncio.timeout(CONNECT):
            _, writer = await asyncio.open_connection(host.strip("[]") or "127.0.0.1", int(port))
    except TimeoutError:
        return f"{address} took no connection within {CONNECT:g} s"
    except (OSError, ValueError) as exc:
        return f"{address}: {getattr(exc, 'strerror', None) or exc}"
    writer.close()
    return ""


def _told_lately(file: Path, end: End) -> bool:
    """Whether people were told of the same within TELL_AGAIN: the unit tries again and again. Remembers that they are
    told now; a disk that takes no writes makes them hear it more often."""
    with suppress(OSError):
        if file.read_text() == end and time() - file.stat().st_mtime < TELL_AGAIN:
            return True
    with suppress(OSError):
        file.unlink(missing_ok=True)  # it may be a link that would lead root elsewhere
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as told:
            told.write(end)
    return False


async def _tell_people(places: Places, told: Told, card: Card | None) -> tuple[str, ...]:
    """The failsafe's deed, and its failure, are told at once: no daemon is there to do it."""
    severity = "critical" if told.end is End.STUCK else "warning"
    words = f"bluegreen does not run, and the failsafe acted: {told.text}. Next: {told.next[0] if told.next else ''}"
    id = card.deployment if card else ""
    notice = Notice(f"failsafe:{uuid4().hex}", "failsafe.acted", severity, words, datetime.now(UTC), id)
    failed = []
    for notifier in places.notifiers:
        if not notifier.wants(notice):
            continue
        try:
            async with asyncio.timeout(TELL):
                await notifier.send(notice)
        except (BluegreenError, TimeoutError) as exc:
            failed.append(f"{notifier.name} was not told: {str(exc) or 'no answer in time'}")
    return tuple(failed)


def _say(shell: Shell, places: Places, told: Told) -> Exit:
    code = EXITS.get(told.end, Exit.DONE)
    remarks = [*filter(None, [places.note]), *told.remarks]
    if shell.json:
        shell.say_json(
            {
                "end": told.end,
                "text": told.text,
                "generation": told.generation,
                "remarks": remarks,
                "next": list(told.next),
            }
        )
        return code
    shell.remark([f"! {remark}" for remark in text.cleaned(tuple(remarks))])
    if code is not Exit.DONE:
        shell.fail(told.text, told.next, code)
    shell.say([f"{text.mark('✔')} {text.clean(told.text)}", *text.commands(text.cleaned(told.next))])
    return code


def _caller() -> str:
    by = described(os.geteuid())
    asked = os.environ.get("SUDO_USER", "")
    return f"{by} for {asked}" if asked.isprintable() and asked not in ("", "root") else by
