"""DSNs: the password is found wherever it stands, and shown nowhere."""

import os
import stat
from pathlib import Path

import pytest

from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.domain.errors import BackupFailed, ConfigurationError


@pytest.mark.parametrize(
    ("text", "safe", "password", "where", "database"),
    [
        ("postgresql://u:s%40c@db:1/m?sslmode=require", "postgresql://u@db:1/m?sslmode=require", "s@c", "db:1", "m"),
        ("postgres://app@db/main", "postgres://app@db/main", "", "db", "main"),
        ("postgresql:///main?host=/run/pg&password=x%26y", "postgresql:///main?host=/run/pg", "x&y", "/run/pg", "main"),
        ("postgresql://a:p@one:1,two:2/m%20n", "postgresql://a@one:1,two:2/m%20n", "p", "one:1,two:2", "m n"),
        ("postgresql://a:p@[::1]:5432/m", "postgresql://a@[::1]:5432/m", "p", "[::1]:5432", "m"),
        ("postgresql:///m", "postgresql:///m", "", "the local socket", "m"),
    ],
    ids=["password", "none", "as an option", "two hosts", "ipv6", "socket"],
)  # fmt: skip
def test_a_dsn_is_taken_apart(text: str, safe: str, password: str, where: str, database: str) -> None:
    dsn = Dsn.parse(text)
    assert (dsn.full, dsn.safe, dsn.password, dsn.where, dsn.database) == (text, safe, password, where, database)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://app:hunter/2@db/main",
        "postgresql://app:12/hunter@db/main",
        "postgresql://app:hunter#2@db/main",
        "postgresql://app:12?hunter@db/main",
        "postgresql://app:hunter@db/",
        "postgresql://app:hunter@db/a/b",
        "mysql://app:hunter@db/main",
        "postgresql://app:hunter@[db/main",
        "host=db password=hunter",
        "postgresql://app@db/main?sslpassword=hunter",
    ],
)
def test_a_dsn_that_would_be_read_wrongly_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Dsn.parse(text)
    error = caught.value
    assert "hunter" not in f"{error.detail} {error.facts} {error.__cause__}"
    assert error.__suppress_context__ or error.__context__ is None


def test_another_database_of_the_same_server_keeps_everything_else() -> None:
    dsn = Dsn.parse("postgresql://app:x@db:1/main?sslmode=require").to("other/one")
    assert dsn.full == "postgresql://app:x@db:1/other%2Fone?sslmode=require"
    assert dsn.safe == "postgresql://app@db:1/other%2Fone?sslmode=require"
    assert (dsn.database, dsn.password) == ("other/one", "x")


def test_neither_repr_nor_str_shows_the_password() -> None:
    dsn = Dsn.parse("postgresql://app:hunter@db/main")
    assert "hunter" not in f"{dsn!r} {dsn}"


def test_a_text_is_cleaned_of_the_password_in_every_spelling() -> None:
    dsn = Dsn.parse("postgresql://app:a%2Fb%20c@db/main")
    assert dsn.redact("a/b c, a%2Fb%20c, a/b%20c, abc") == "[hidden], [hidden], [hidden], abc"
    assert Dsn.parse("postgresql://app@db/main").redact("text") == "text"


def test_the_password_file_is_private_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Dsn.parse("postgresql://app:a%3Ab%5C@db/main").passfile(BackupFailed) as env:
        path = Path(env["PGPASSFILE"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() == "*:*:*:*:a\\:b\\\\\n"
    assert list(tmp_path.iterdir()) == []


def test_without_a_password_there_is_no_file() -> None:
    with Dsn.parse("postgresql://app@db/main").passfile(BackupFailed) as env:
        assert env == {}


def test_what_a_killed_daemon_left_is_removed_and_what_a_living_one_uses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, alive = tmp_path / "bluegreen-pgpass-4194305-x", tmp_path / f"bluegreen-pgpass-{os.getppid()}-x"
    dead.touch()  # no pid is that high (pid_max is at most 4194304)
    alive.touch()
    with Dsn.parse("postgresql://app:x@db/main").passfile(BackupFailed):
        assert not dead.exists()
        assert alive.exists()


@pytest.mark.parametrize(
    ("dsn", "full"),
    [
        ("postgresql://app:x@db:6432/main?sslmode=require", "postgresql://me:p%3Aw@db:6432/main?sslmode=require"),
        ("postgresql://db/main?user=app&password=x", "postgresql://me:p%3Aw@db/main"),
        ("postgresql:///main?host=/run/postgresql", "postgresql://me:p%3Aw@/main?host=/run/postgresql"),
        ("postgresql://app@[::1]:5432/main", "postgresql://me:p%3Aw@[::1]:5432/main"),
    ],
)
def test_another_role_at_the_same_place(dsn: str, full: str) -> None:
    other = Dsn.parse(dsn).login("me", "p:w")
    assert (other.full, other.password, other.database) == (full, "p:w", "main")
    assert "p%3Aw" not in other.safe
