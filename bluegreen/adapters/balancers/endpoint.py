"""Where Caddy's admin API listens, who may own that place, and how its paths are written.

The API asks nobody who they are: its only guard is the reach of its address or the mode of its socket
(https://caddyserver.com/docs/json/admin/). And whoever could plant a socket at its path would tell us where
users are.
"""

import ipaddress
import pwd
import stat
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

from yarl import URL

from bluegreen.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the admin API listens: a Unix socket's path, or the base of a URL."""

    written: str
    base: str
    socket: str | None = None
    remote: bool = False

    @classmethod
    def parse(cls, admin: str, *, allow_remote: bool = False) -> Self:
        """Read `unix//run/caddy/admin.sock` (also with Caddy's `|0220`) or `http://127.0.0.1:2019`.

        Raises ConfigurationError for anything else, and for TCP beyond this host unless `allow_remote`.
        """
        if admin.startswith("unix/"):
            path = admin.removeprefix("unix/").partition("|")[0]
            if path.startswith("/"):
                return cls(admin, "http://127.0.0.1", path)
        host = _host_of(admin)
        if host is None:
            raise ConfigurationError(
                f"caddy.admin = {admin!r} is neither a Unix socket nor an http:// address",
                next=('admin = "unix//run/caddy/admin.sock"', 'admin = "http://127.0.0.1:2019"'),
            )
        remote = not is_loopback(host)
        if remote and not allow_remote:
            raise ConfigurationError(
                f"caddy.admin = {admin!r} is not on this host, and Caddy's admin API asks nobody who they "
                "are: "
                "forward its socket by ssh, or set caddy.allow_remote_admin = true",
                next=("ssh -N -L /run/bluegreen/caddy.sock:/run/caddy/admin.sock HOST",),
            )
        return cls(admin, admin.rstrip("/"), remote=remote)

    def url(self, path: str) -> URL:
        """The address of a path of the API; the path is taken as it is, percent-encoded already."""
        return URL(self.base + path, encoded=True)

    @property
    def command(self) -> str:
        """What an operator types to see whether it answers."""
        socket = f"--unix-socket {self.socket} " if self.socket else ""
        return f"curl {socket}{self.base}/config/"

    def fault(self, owners: AbstractSet[int]) -> str | None:
        """Why this is no socket to trust: it is none, or of none of these uids. None where it is fine."""
        if self.socket is None:
            return None
        try:
            found = Path(self.socket).stat()
        except OSError as exc:
            return exc.strerror or str(exc)
        if not stat.S_ISSOCK(found.st_mode):
            return "there is something else than a socket at this path"
        if found.st_uid not in owners:
            return f"its socket belongs to uid {found.st_uid}: neither root, nor us, nor the user Caddy runs as"
        return None


def config_path(path: Sequence[str | int]) -> str:
    """Keys and indices as the API's path: what an operator can give to curl."""
    return "/config/" + "/".join(quote(str(part), safe="") for part in path)


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this very machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host_of(admin: str) -> str | None:
    try:
        url = urlsplit(admin)
        plain = url.scheme == "http" and url.port != 0 and not (url.username or url.path.strip("/") or url.query)
    except ValueError:  # a port that is no number, brackets that do not close
        return None
    return url.hostname if plain else None


def uid_of(user: str) -> tuple[int, ...]:
    """The uid of a user; empty where there is no such user."""
    try:
        return (pwd.getpwnam(user).pw_uid,)
    except KeyError:
        return ()
