"""What comes back from another machine: where its answer begins and ends, and what ssh says where there is none.

ssh ends with the exit code of the command, or with 255 where something failed (ssh(1)); 255 may be either. And what a
login shell prints by itself comes before the command's own words. So the other side frames the answer in a word that
nobody else knows: `WORD<` when it begins, `WORD 0` with the exit code when it has ended.
"""

import asyncio
import re
from dataclasses import dataclass

from bluegreen.processes import SHOWN, printable

WORD = 16
"""Characters of the framing word."""

NO_KEY = re.compile(r"No \S+ host key is known|Host key verification failed", re.IGNORECASE)
OTHER_KEY = re.compile(r"IDENTIFICATION HAS CHANGED|host key for \S+ has changed", re.IGNORECASE)
REFUSED = re.compile(r"Permission denied|Too many authentication failures")
BAD_KEY = re.compile(r"UNPROTECTED PRIVATE KEY|invalid format|error in libcrypto", re.IGNORECASE)


class Answer(asyncio.Protocol):
    """The framed answer, as it comes: its last `limit` bytes, and the exit code once it has ended."""

    def __init__(self, word: str, limit: int) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        """Whether the other side took the command; whether it has ended, or nothing more will come."""
        self.closed = asyncio.Event()
        """Whether nobody holds our end of the link any more."""
        self.code: int | None = None
        self.before = b""
        """What was said before it began: by the login shell, or by ssh."""
        self.dropped = 0
        """How many bytes of the answer were not kept."""
        self.data = bytearray()
        self._limit = limit
        self._leader = f"{word}<\n".encode()
        self._trailer = re.compile(rf"{word} (\d+)\n".encode())
        self._longest = len(word) + 5

    def data_received(self, data: bytes) -> None:
        if self.over.is_set():
            return
        self.data += data
        if not self.begun.is_set():
            self._begin()
        if self.begun.is_set():
            self._end(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.begun.is_set():
            self.before, self.data = bytes(self.data), bytearray()
        self.begun.set()
        self.over.set()
        self.closed.set()

    @property
    def text(self) -> str:
        """The answer as text; says so where its beginning was not kept."""
        text = self.data.decode(errors="replace")
        return f"... {self.dropped} bytes before this were not kept\n{text}" if self.dropped else text

    @property
    def words(self) -> str:
        """The last lines of whoever spoke last."""
        said = (self.data or self.before).decode(errors="replace").splitlines()
        return printable(" | ".join(line.strip() for line in said[-3:] if line.strip())[-SHOWN:])

    def _begin(self) -> None:
        at = self.data.find(self._leader)
        if at >= 0:
            self.before = bytes(self.data[:at])
            del self.data[: at + len(self._leader)]
            self.begun.set()
        else:
            del self.data[: -self._limit - self._longest]

    def _end(self, fresh: int) -> None:
        found = self._trailer.search(self.data, max(0, len(self.data) - fresh - self._longest))
        if found:
            self.code = int(found[1])
            del self.data[found.start() :]
            self.over.set()
        spare = len(self.data) - self._limit - (0 if found else self._longest)
        if spare > 0:
            del self.data[:spare]
            self.dropped += spare


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a host could not be reached, and what to type."""

    why: str
    next: tuple[str, ...]


def diagnosis(said: str, shown: str, *, host: str, port: int, known_hosts: str, by_hand: str) -> Diagnosis:
    """What ssh's words mean. `shown`: its last words, fit for people; `by_hand`: the command that shows it to one."""
    at = host if port == 22 else f"[{host}]:{port}"
    compare = "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on that host"
    if OTHER_KEY.search(said):
        why = "its host key is not the one that is known: it was set up anew, or it is another machine"
        return Diagnosis(why, (f"ssh-keyscan -p {port} {host} | ssh-keygen -lf -", compare, _forget(at, known_hosts)))
    if NO_KEY.search(said):
        scan = f"ssh-keyscan -p {port} {host} >> {known_hosts}"
        return Diagnosis("its host key is not known here", (scan, compare))
    if BAD_KEY.search(said):
        return Diagnosis(f"the key cannot be used ({shown})", (by_hand,))
    if REFUSED.search(said):
        why = f"it does not let us in with our key ({shown})"
        return Diagnosis(why, ("append our public key to ~/.ssh/authorized_keys there", by_hand))
    return Diagnosis(shown or "nobody said why", (by_hand,))


def _forget(at: str, known_hosts: str) -> str:
    return f"ssh-keygen -R '{at}' -f {known_hosts}"
