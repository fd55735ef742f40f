"""What the kernel tells of processes: who listens where, who holds a lock, in which cgroup somebody lives.

Outside facts: /proc/net/tcp has addresses as hexadecimal words in host order, state 0A is LISTEN (proc_pid_net(5));
/proc/locks names holders by pid and file by inode (proc_locks(5)); the fds of a process are for its user and root.
"""

import ctypes
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

LISTENING = "0A"
UNSYNCHRONISED = 0x40
"""STA_UNSYNC (adjtimex(2))."""

PROC = Path("/proc")


def listeners(host: str, port: int) -> set[int]:
    """The inodes of sockets that listen at this address, or at every address of this port; none where the address
    is not one of this machine's."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, its_port = fields[1].partition(":")
                if fields[3] == LISTENING and int(its_port, 16) == port and _is_at(_address(address), host):
                    found.add(int(fields[9]))
    return found


def holders(inodes: set[int]) -> dict[int, int]:
    """The processes that hold these sockets: pid by inode, as far as we may look."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    for pid in pids():
        with suppress(OSError):
            for entry in os.scandir(PROC / str(pid) / "fd"):
                with suppress(OSError):
                    inode = wanted.get(os.readlink(entry.path))  # noqa: PTH115 - thousands of them
                    if inode is not None:
                        found.setdefault(inode, pid)
    return found


def pids() -> Iterator[int]:
    """Every process that we see."""
    for entry in os.scandir(PROC):
        if entry.name.isdecimal():
            yield int(entry.name)


def cgroup(pid: int) -> str | None:
    """The cgroup (v2, else that of systemd) of a process; None where it is gone or not for us to see."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    found = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in lines}
    systemd = found.get("name=systemd", "/")
    return systemd if systemd != "/" else found.get("", systemd)


def command_line(pid: int) -> list[str]:
    """The argv of a process; empty where it is not to be seen."""
    try:
        return (PROC / str(pid) / "cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def lock_holder(path: Path) -> int | None:
    """The pid that holds the flock of a file; None without one. The lock itself is not touched."""
    try:
        inode = path.stat().st_ino
        locks = (PROC / "locks").read_text()
    except OSError:
        return None
    held = re.search(rf"^\d+: FLOCK +\S+ +WRITE +(\d+) +[0-9a-f]+:[0-9a-f]+:{inode} ", locks, re.MULTILINE)
    return int(held[1]) if held else None


def listener_of(path: Path, timeout: float = 2.0) -> int | None:
    """The pid of who listens on a Unix socket, as the kernel says (SO_PEERCRED); None where nobody does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return None
    return int.from_bytes(credentials[:4], "little") or None


def endpoint_pid(admin: str, port: int = 2019) -> int | None:
    """The process behind an admin endpoint as it is configured, as far as we may see it; `port` where it names none."""
    if admin.startswith("unix/"):
        return listener_of(Path(admin.removeprefix("unix/").partition("|")[0]))
    url = urlsplit(admin)
    return next(iter(holders(listeners(url.hostname or "127.0.0.1", url.port or port)).values()), None)


def credentials(pid: int) -> tuple[int, frozenset[int]] | None:
    """The effective uid of a process and all its gids (proc_pid_status(5)); None where it is not to be seen."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    found = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return int(found["Uid"][1]), frozenset(map(int, (found["Gid"][1], *found["Groups"])))


def clock_synchronised() -> bool | None:
    """Whether something keeps this machine's clock right (adjtimex(2), read only); None where that cannot be told."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = _Timex()
        state = libc.adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else not timex.status & UNSYNCHRONISED


class _Timex(ctypes.Structure):
    """The beginning of struct timex, with room for the rest; `modes` 0 changes nothing."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def _address(written: str) -> IPv4Address | IPv6Address:
    words = [bytes.fromhex(written[at : at + 8])[::-1] for at in range(0, len(written), 8)]
    address = ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_at(address: IPv4Address | IPv6Address, host: str) -> bool:
    if address.is_unspecified:
        return _is_ours(host)
    with suppress(ValueError):
        return address == ip_address(host)
    return address.is_loopback and host == "localhost"


def _is_ours(host: str) -> bool:
    """Whether an address is one of this machine's: only then does a listener at every address mean it."""
    if host == "localhost":
        return True
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
