"""A line of an access log, as whoever counts it needs it, whichever balancer wrote it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class AccessRequest(Protocol):
    """What was asked, and by whom."""

    @property
    def host(self) -> str:
        """The host that was asked for."""

    @property
    def method(self) -> str:
        """Its method."""

    @property
    def uri(self) -> str:
        """What the client asked for, with a query or without."""

    @property
    def client_ip(self) -> str:
        """The address that trusted proxies vouch for; empty where the log does not say."""

    @property
    def remote_ip(self) -> str:
        """The address that connected."""

    @property
    def nonce(self) -> list[str] | None:
        """Of a request of our own; None of others, and where headers are not in the log."""


class AccessLine(Protocol):
    """One answer: `duration` in seconds, `upstream` the dial that gave it."""

    @property
    def status(self) -> int:
        """What the client got."""

    @property
    def duration(self) -> float:
        """Seconds from the request to the end of the answer."""

    @property
    def request(self) -> AccessRequest:
        """What was asked."""

    @property
    def upstream(self) -> str:
        """Who answered; empty where nobody was asked."""

    @property
    def bluegreen_preview(self) -> object:
        """None, but for one who asked for the idle colour with the operator's secret."""

    @property
    def streamed(self) -> bool:
        """True where the duration says how long a client stayed, not how long it waited."""

    @property
    def written(self) -> float | None:
        """When it was written, in seconds since 1970; None where it does not say."""


class Decoder(Protocol):
    """Reads lines."""

    def decode(self, text: bytes, /) -> AccessLine:
        """One line. Raises ValueError, RecursionError."""


class Asked(Protocol):
    """Who asked, as a line tells: an address, whether a proxy stands before it, and who was asked."""

    @property
    def client(self) -> str:
        """The address of who asked; empty where the line does not say."""

    @property
    def forwarded(self) -> bool:
        """Whether a proxy said so."""

    @property
    def upstream(self) -> str:
        """Who was asked; empty where nobody was."""


class AskedDecoder(Protocol):
    """Reads who asked from lines."""

    def decode(self, text: bytes, /) -> Asked:
        """One line. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Format:
    """What the lines of a balancer's log look like. `decoder` makes what reads lines, given the header of requests of
    our own; `asked` reads who asked; `hint` says how we may come to read a log that we may not."""

    decoder: Callable[[str], Decoder]
    asked: AskedDecoder
    hint: str
