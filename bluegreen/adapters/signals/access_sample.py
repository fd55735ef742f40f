"""A look at the last lines of an access log: can clients be told apart there?"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bluegreen.adapters.signals.access_line import AskedDecoder

LOOKED_AT = 1024 * 1024
"""Bytes at the end of the log."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Of `lines` of users' requests: how many name no client, how many came through a proxy that says so, and how many
    different clients there are."""

    lines: int
    nameless: int
    forwarded: int
    clients: int


class _Headers(msgspec.Struct):
    forwarded: list[str] = msgspec.field(name="X-Forwarded-For", default_factory=list)


class _Request(msgspec.Struct):
    client_ip: str = ""
    remote_ip: str = ""
    headers: _Headers | str | None = None  # a text where a `filter` of the log put one

    @property
    def forwarded(self) -> bool:
        return isinstance(self.headers, _Headers) and bool(self.headers.forwarded)


class _Line(msgspec.Struct):
    request: _Request
    upstream: str = ""

    @property
    def client(self) -> str:
        return self.request.client_ip or self.request.remote_ip

    @property
    def forwarded(self) -> bool:
        return self.request.forwarded


CADDY_ASKED: AskedDecoder = msgspec.json.Decoder(_Line)


def sample(path: Path, probe_header: str, decoder: AskedDecoder = CADDY_ASKED) -> Sample:
    """What the end of the log at `path` shows. Blocks; raises OSError. Requests of our own are left out, and so are
    lines of nobody's upstream."""
    ours = f'{probe_header}"'.lower().encode()
    lines = []
    for text in _last(path):
        with suppress(ValueError, RecursionError):
            line = decoder.decode(text)
            if line.upstream and ours not in text.lower():
                lines.append(line)
    clients = [line.client for line in lines]
    return Sample(
        lines=len(lines),
        nameless=clients.count(""),
        forwarded=sum(line.forwarded for line in lines),
        clients=len(set(clients) - {""}),
    )


def _last(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        begin = max(0, file.seek(0, os.SEEK_END) - LOOKED_AT)
        file.seek(begin)
        lines = file.read(LOOKED_AT).split(b"\n")
    return lines[1:-1] if begin else lines[:-1]
