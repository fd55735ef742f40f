"""The commands that put a backup into service by hand: for a person at three in the morning, with the daemon dead."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bluegreen.adapters.backups.backup import Backups
from bluegreen.adapters.backups.likeness import quoted
from bluegreen.adapters.backups.swap import Names
from bluegreen.adapters.postgres.clients import Clients

WHO = "SELECT pid, usename, application_name, client_addr FROM pg_stat_activity WHERE datname = "
CREATE = "'CREATE DATABASE %I TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L'"
LIKE = "pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype"
COUNT = "SELECT count(*) FROM ONLY "


def lines(backups: Backups, dump: Path, manifest: Mapping[str, Any], clients: Clients) -> tuple[str, ...]:
    """What to type, top to bottom; `#` begins an explanation."""
    dsn = backups.access.dsn
    names = Names.of(dsn.database, f"{datetime.now(UTC):%Y%m%dt%H%M%S}")
    admin, beside = (shlex.quote(dsn.to(name).safe) for name in (backups.admin_database, names.beside))
    psql = shlex.quote(str(clients.pg_dump.with_name("psql")))
    dumping, restoring = shlex.quote(str(clients.pg_dump)), shlex.quote(str(clients.pg_restore))
    present = shlex.quote(f"{dump.parent}/{names.kept}.dump")
    return (
        "# 1. The password, which stands in none of these lines (a line host:port:database:user:password, mode 0600):",
        "export PGPASSFILE=~/.pgpass",
        "# 2. The dump is the one that was taken:",
        f"echo {shlex.quote(manifest['sha256'] + '  ' + str(dump))} | sha256sum --check",
        f"# 3. Stop everything that writes to {names.service}. Nobody may be left:",
        _psql(psql, admin, WHO + _literal(names.service)),
        "# 4. Dump what is there now, however broken (it is also kept as a database, see 8):",
        f"{dumping} --format=custom --file={present} {shlex.quote(dsn.safe)}",
        "# 5. Make a database beside it, and restore into that:",
        *_creating(psql, admin, names),
        f"{restoring} --exit-on-error --dbname={beside} {shlex.quote(str(dump))}",
        *_roles(psql, admin, dump, manifest),
        f"# 6. Compare the largest of {len(manifest['rows'])} tables with what was there, and let the planner know:",
        *_counting(psql, beside, manifest),
        _psql(psql, beside, "ANALYZE"),
        "# 7. Let both change their names, in one transaction; it is refused while anybody is in one of them:",
        _psql(
            psql, admin,
            f"BEGIN; ALTER DATABASE {quoted(names.service)} RENAME TO {quoted(names.kept)};"
            f" ALTER DATABASE {quoted(names.beside)} RENAME TO {quoted(names.service)}; COMMIT",
        ),
        "# 8. Rights and settings of the database itself are not in a dump: compare, and copy what is missing.",
        _psql(psql, admin, "\\l+"),
        _psql(psql, admin, "\\drds"),
        f"# Start the applications. When all is well, and not before: DROP DATABASE {quoted(names.kept)}",
    )  # fmt: skip


def _creating(psql: str, admin: str, names: Names) -> tuple[str, ...]:
    like = f"FROM pg_database WHERE datname = {_literal(names.service)} \\gexec"
    asked = f"SELECT format({CREATE}, {_literal(names.beside)}, {LIKE}) {like}"
    return (f"echo {shlex.quote(asked)} | {psql} --no-psqlrc {admin}",)


def _roles(psql: str, admin: str, dump: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    roles = manifest.get("globals") or {}
    if "file" not in roles:
        return ()
    file = shlex.quote(str(dump.parent / roles["file"]))
    return (f"# only where pg_restore misses roles: {psql} --no-psqlrc {admin} --file={file}",)


def _counting(psql: str, beside: str, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The largest tables stand for all: a person compares these by eye."""
    largest = sorted(manifest["rows"].items(), key=lambda item: -item[1])[:5]
    return tuple(f"{_psql(psql, beside, COUNT + name)}   # {rows}" for name, rows in largest)


def _psql(psql: str, dsn: str, sql: str) -> str:
    return f"{psql} --no-psqlrc {dsn} -c {shlex.quote(sql)}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
