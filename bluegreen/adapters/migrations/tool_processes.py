"""Which processes are those of a tool of ours, and by which ports they talk: seen in /proc (proc(5)).

A tool hands its environment down to what it starts, so a mark in there is found wherever it went, also after we were
killed. A tool that runs in a container is not found: its sessions are known by application_name alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

MARK = "BLUEGREEN_MIGRATION"

PROC = Path("/proc")


def marked(value: str) -> tuple[int, ...]:
    """The processes whose environment has MARK=value; of other users' none is seen."""
    wanted = f"{MARK}={value}".encode()
    return tuple(pid for pid in _pids() if wanted in _environment(pid))


def ports(value: str) -> frozenset[int]:
    """The local TCP ports of those processes."""
    found: set[int] = set()
    for pid in marked(value):
        inodes = _sockets(pid)
        for table in ("tcp", "tcp6"):
            found |= {port for inode, port in _connections(pid, table) if inode in inodes}
    return frozenset(found)


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def _sockets(pid: int) -> set[str]:
    try:
        links = [str(entry.readlink()) for entry in (PROC / str(pid) / "fd").iterdir()]
    except OSError:  # it has ended, or has just closed one: the next look sees the others
        return set()
    return {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}


def _connections(pid: int, table: str) -> Iterator[tuple[str, int]]:
    """Inodes and local ports of /proc/PID/net/tcp."""
    try:
        lines = (PROC / str(pid) / "net" / table).read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        yield words[9], int(words[1].rpartition(":")[2], 16)
