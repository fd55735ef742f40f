"""Where a database is, and the password that opens it, kept apart: the first may be shown, the second never.

asyncpg reads the URI as a whole. The programs of Postgres get it without the password, which they find in the file
that PGPASSFILE names (libpq, "The Password File"): what stands in argv is seen by every user of the machine.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from bluegreen.domain.errors import ConfigurationError, OutsideError

HIDDEN = "[hidden]"
PREFIX = "bluegreen-pgpass-"

SHARED_WITH_LIBPQ = ("PGPASSFILE", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY")
"""Variables that asyncpg reads from our environment, so that children must see them too."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """A parsed DSN. `full` holds the password, `safe` is the same URI without it."""

    full: str = field(repr=False)
    safe: str
    password: str = field(repr=False)
    where: str
    database: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `postgresql://user:password@host:port/database?…`. ConfigurationError, which shows no part of it."""
        try:
            parts = urlsplit(text)
        except ValueError:
            raise _refused("it is not a URI") from None  # the text of the cause could hold the password
        userinfo, _, hosts = parts.netloc.rpartition("@")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        _check(parts, hosts, options)
        user, _, quoted = userinfo.partition(":")
        password = options.pop("password", unquote(quoted))
        safe = parts._replace(
            netloc=f"{user}@{hosts}" if user else hosts, query=urlencode(options, safe="/", quote_via=quote)
        )
        database = unquote(parts.path[1:])
        return cls(text, _uri(safe), password, f"{hosts or options.get('host', 'the local socket')}", database)

    def to(self, database: str) -> Self:
        """Another database of the same server."""
        return replace(
            self, full=_with_path(self.full, database), safe=_with_path(self.safe, database), database=database
        )

    def login(self, user: str, password: str) -> Self:
        """The same database for another role."""
        parts = urlsplit(self.safe)
        hosts = parts.netloc.rpartition("@")[2]
        options = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "user"]
        query = urlencode(options, safe="/", quote_via=quote)
        netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{hosts}"
        return type(self).parse(_uri(parts._replace(netloc=netloc, query=query)))

    def __str__(self) -> str:
        return f"database {self.database} at {self.where}"

    def redact(self, text: str) -> str:
        """The text without the password, however it was written."""
        for secret in {self.password, quote(self.password), quote(self.password, safe="")} - {""}:
            text = text.replace(secret, HIDDEN)
        return text

    @contextmanager
    def passfile(self, failure: type[OutsideError]) -> Iterator[Mapping[str, str]]:
        """The environment by which a program of Postgres finds the password; the file (0600) is gone afterwards.
        Raises `failure` where it cannot be written."""
        if not self.password:
            yield {}
            return
        _remove_stale()
        try:
            handle, path = tempfile.mkstemp(prefix=f"{PREFIX}{os.getpid()}-")  # mkstemp: 0600
        except OSError as exc:
            raise failure(f"the password file cannot be written: {exc}") from exc
        try:
            with os.fdopen(handle, "w") as file:
                file.write("*:*:*:*:" + re.sub(r"([\\:])", r"\\\1", self.password) + "\n")
            yield {"PGPASSFILE": path}
        finally:
            Path(path).unlink(missing_ok=True)


def _check(parts: SplitResult, hosts: str, options: Mapping[str, str]) -> None:
    """Refuse what would otherwise be read wrongly: a password with a bare / ? # ends the host part early."""
    ports = (host.rpartition("]")[2].partition(":")[2] for host in hosts.split(","))
    if parts.scheme not in ("postgresql", "postgres"):
        raise _refused("it must begin with postgresql://")
    if parts.fragment or any(port and not port.isdecimal() for port in ports) or "@" in parts.path:
        raise _refused("in a password write / as %2F, ? as %3F, # as %23, @ as %40")
    if not all(re.fullmatch("[a-z_]+", key) for key in options):
        raise _refused("after ? stand options like sslmode=require; in a password write ? as %3F")
    if "/" in parts.path[1:] or not parts.path[1:]:
        raise _refused("it must name one database after the host: postgresql://user@host:5432/NAME")
    if "sslpassword" in options:
        raise _refused("sslpassword would stand in argv: use a key without one, readable only for the daemon")


def _refused(why: str) -> ConfigurationError:
    return ConfigurationError(f"the DSN of a database cannot be used: {why}")


def _with_path(uri: str, database: str) -> str:
    return _uri(urlsplit(uri)._replace(path="/" + quote(database, safe="")))


def _uri(parts: SplitResult) -> str:
    # urlunsplit would drop the // of an empty host, as in postgresql:///app?host=/run/postgresql
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def _remove_stale() -> None:
    """Remove what a killed daemon of the same user left."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(FileNotFoundError):  # another one was quicker
            if path.lstat().st_uid == os.geteuid() and not Path(f"/proc/{pid}").exists():
                path.unlink()
