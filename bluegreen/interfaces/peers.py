"""Who is at the other end of the Unix socket, and what that grants: the rights come from the kernel.

Outside facts: SO_PEERCRED holds pid, uid and gid as of connect(2); SO_PEERGROUPS (59, Linux 4.13) the peer's
supplementary groups as gid_t[]; CPython reads at most 1,024 bytes of a socket option, so that a peer of more
than 256 groups is looked up by name. An id that is not mapped into our user namespace is shown as 65534.
Sources: unix(7), net/core/sock.c, Modules/socketmodule.c.
"""

import asyncio
import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from bluegreen.domain.errors import ConfigurationError

SO_PEERGROUPS = 59
_UCRED = struct.Struct("3i")
_OPTION_LIMIT = 1024

UNMAPPED = 65534
"""How the kernel shows an id from outside our user namespace: it may be anybody, so it is nobody."""


class Right(IntEnum):
    """What a caller may do; each includes those before it (who may deploy may cut back, not the reverse)."""

    NONE = 0
    READ = 1
    CUTBACK = 2
    OPERATE = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Access:
    """Whom the configuration grants what: each entry is "group:NAME", "user:NAME" or "uid:N"."""

    read: tuple[str, ...] = ()
    cutback: tuple[str, ...] = ()
    operate: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A process at the other end, as the kernel vouches for it."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Self:
        """Ask the kernel; OSError where the socket has no peer any more."""
        _, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return cls(uid, frozenset({gid, *_supplementary(connection, uid, gid)}) - {UNMAPPED})


def _supplementary(connection: socket.socket, uid: int, gid: int) -> tuple[int, ...]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _OPTION_LIMIT)
    except OSError:
        return _looked_up(uid, gid)
    return struct.unpack(f"{len(raw) // 4}I", raw)


def _looked_up(uid: int, gid: int) -> tuple[int, ...]:
    try:
        return tuple(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except KeyError:
        return ()


@dataclass(frozen=True, slots=True)
class Grants:
    """`Access` with its names resolved to numbers, once: a directory service is not asked on each request."""

    users: dict[int, Right]
    groups: dict[int, Right]
    unknown: tuple[str, ...] = ()

    @classmethod
    def resolve(cls, access: Access) -> Self:
        """Resolve the names; those that do not exist grant nobody and are listed in `unknown`.

        Root and our own user are always admin. ConfigurationError for an entry of another form.
        """
        users, groups, unknown = {0: Right.ADMIN, os.geteuid(): Right.ADMIN}, dict[int, Right](), list[str]()
        for right, key, entry in _entries(access):
            kind, _, name = entry.partition(":")
            number = _number(kind, name, key)
            if number is None:
                unknown.append(f"access.{key}: {entry}")
                continue
            table = groups if kind == "group" else users
            table[number] = max(right, table.get(number, Right.NONE))
        return cls(users, groups, tuple(unknown))

    def of(self, peer: Peer) -> Right:
        """The highest right that the peer's user or any of its groups has."""
        if peer.uid == UNMAPPED:
            return Right.NONE
        mine = (self.groups.get(group, Right.NONE) for group in peer.groups)
        return max(self.users.get(peer.uid, Right.NONE), *mine, Right.NONE)


def _entries(access: Access) -> list[tuple[Right, str, str]]:
    lists = {"read": access.read, "cutback": access.cutback, "operate": access.operate, "admin": access.admin}
    return [(Right[key.upper()], key, entry) for key, entries in lists.items() for entry in entries]


def _number(kind: str, name: str, key: str) -> int | None:
    """The uid or gid of a name; None where the system has no such name."""
    try:
        if kind == "group" and name:
            return grp.getgrnam(name).gr_gid
        if kind == "user" and name:
            return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
    if kind == "uid" and name.isascii() and name.isdigit():
        return int(name)
    detail = f'access.{key}: "{kind}:{name}" is none of "group:NAME", "user:NAME", "uid:N"'
    raise ConfigurationError(detail, next=("bluegreen config docs access",), key=f"access.{key}")


def account(uid: int) -> str:
    """A user's name; "uid 1000" where there is none. It may ask a directory service, and takes as long as that does."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def described(uid: int) -> str:
    """How the audit names a user: "uid 1000 (deploy)"; "uid 1000" where there is no name."""
    number, name = f"uid {uid}", account(uid)
    return number if name == number else f"{number} ({name})"


async def name_of(uid: int) -> str:
    """The same, looked up aside."""
    return await asyncio.to_thread(described, uid)
