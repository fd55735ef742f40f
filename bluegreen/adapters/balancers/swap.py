"""Replaces one small file as a whole, if it is still what was read: a comparison and a rename, without a lock.

Readers see the old file or the new one, never a part (rename(2)). Whoever is killed leaves the one or the other, and
perhaps a partial file beside it. A lock would be held by whoever is frozen; so writers fence each other off instead:
each takes away the partial files of all others, before its rename and after it. A writer that was stopped between its
comparison and its rename then fails at the rename, however late it goes on; one that comes later sees at its comparison
that something else stands there. What is written must never be the same twice (docs/decisions/040).

All of it is relative to an open directory, so that no symlink laid meanwhile leads elsewhere. Blocking calls: for a
worker thread.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import structlog

log = structlog.get_logger(__name__)

MODE = 0o644
"""Of what is written: the balancer, another user, must read it, and it is no secret."""

MOST = 256 * 1024
"""Bytes that are read: what is larger is none of ours."""

Rename = Callable[[str, str, int], None]
"""Renames within a directory, given its descriptor; for tests that hold it up."""


class Overtaken(Exception):
    """Something else stands there than was read, or another writer took our file away: nothing of ours is in effect."""


class Unsettled(Exception):
    """Ours was in place, and what stands there now cannot be told."""


class NoFile(OSError):
    """What stands at this path is no file."""


def read_whole(path: Path) -> bytes | None:
    """What a file holds, at most MOST bytes of it, through symlinks; None where there is none. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
    except FileNotFoundError:
        return None
    return _contents(descriptor, path)


def swap(
    path: Path, body: bytes, was: bytes | None, *, given_up: Event | None = None, rename: Rename | None = None
) -> None:
    """Put `body` at `path` where `was` stands (None: nothing), durably. Raises Overtaken, Unsettled, or OSError with
    nothing done.

    With `given_up` set before the rename, nothing is done: nobody waits for it any more.
    """
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _Swap(descriptor, path.name, body).done(was, given_up or Event(), rename or _rename)
    finally:
        os.close(descriptor)


def put(path: Path, body: bytes) -> None:
    """Put `body` at `path`, over whatever is there and whoever else writes it. Raises OSError with nothing done."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _Swap(descriptor, path.name, body).forced()
    finally:
        os.close(descriptor)


class _Swap:
    def __init__(self, directory: int, name: str, body: bytes) -> None:
        self._directory, self._name, self._body = directory, name, body
        self._partial = f".{name}.{secrets.token_hex(8)}.partial"

    def done(self, was: bytes | None, given_up: Event, rename: Rename) -> None:
        self._take_away_others()
        with self._written():
            if self._stands() != was:
                raise Overtaken("something else was written there meanwhile")
            if given_up.is_set():
                raise Overtaken("nobody waits for it any more")
            self._rename(rename)
        self._settle()

    def forced(self) -> None:
        with self._written():
            _rename(self._partial, self._name, self._directory)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            self._write()
            yield
        finally:
            with suppress(OSError):
                os.unlink(self._partial, dir_fd=self._directory)

    def _write(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._partial, flags, MODE, dir_fd=self._directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._body)
            file.flush()
            self._give_to_owner(file.fileno())
            os.fchmod(file.fileno(), MODE)
            os.fsync(file.fileno())

    def _give_to_owner(self, descriptor: int) -> None:
        """Root writes for the daemon: the file stays whose it was, or becomes the directory's owner's."""
        if os.geteuid() != 0:
            return
        try:
            old = os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            old = os.fstat(self._directory)
        with suppress(PermissionError):  # a root without that right; who may write the directory may replace it anyway
            os.fchown(descriptor, old.st_uid, old.st_gid)

    def _stands(self) -> bytes | None:
        try:
            descriptor = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=self._directory)
        except FileNotFoundError:
            return None
        return _contents(descriptor, self._name)

    def _rename(self, rename: Rename) -> None:
        try:
            rename(self._partial, self._name, self._directory)
        except FileNotFoundError as exc:
            raise Overtaken("another writer took our file away before it was in place") from exc

    def _settle(self) -> None:
        """In place; now nobody who compared before can overtake us any more, and what is there is there for good."""
        try:
            self._take_away_others()
            stands = self._stands()
        except OSError as exc:
            raise Unsettled(str(exc)) from exc
        if stands != self._body:
            raise Overtaken("another writer was in place right after us")
        try:
            os.fsync(self._directory)
        except OSError as exc:  # it is in effect; only a loss of power could still undo it
            log.warning("balancer.file_not_synced", file=self._name, reason=str(exc))

    def _take_away_others(self) -> None:
        with os.scandir(self._directory) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            if name.startswith(f".{self._name}.") and name.endswith(".partial"):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._directory)


def _contents(descriptor: int, path: Path | str) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoFile(f"{path} is no file")
        return os.read(descriptor, MOST)
    finally:
        os.close(descriptor)


def _rename(source: str, target: str, directory: int) -> None:
    os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
