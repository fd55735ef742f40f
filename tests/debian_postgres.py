"""Debian's Postgres with its contrib modules, for tests that need `pg_stat_statements`: the embedded ones have none.

A cluster of our own in a directory of ours, started like the embedded ones; Debian's clusters are not touched.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres

PROGRAMS, EXTENSIONS = Path("/usr/lib/postgresql"), Path("/usr/share/postgresql")
PRELOADED = "pg_stat_statements"


def installed() -> int | None:
    """The newest major version that is here with its server and contrib modules; None without."""
    found = [
        int(directory.name)
        for directory in PROGRAMS.glob("[0-9]*")
        if (directory / "bin" / "postgres").exists()
        and (EXTENSIONS / directory.name / "extension" / f"{PRELOADED}.control").exists()
    ]
    return max(found, default=None)


class DebianPostgres(EmbeddedPostgres):
    """One server of Debian's in one directory, `pg_stat_statements` preloaded (but in no database created)."""

    def __init__(self, directory: Path, major: int, *options: str) -> None:
        """`options` are settings of the server, `name=value`."""
        super().__init__(directory)
        self.debian = major
        self.options = (f"shared_preload_libraries={PRELOADED}", *options)

    @property
    def bin_dir(self) -> Path:
        """The client programs of the same major version."""
        return PROGRAMS / str(self.debian) / "bin"

    def _argv(self, port: int) -> list[str]:
        return [*super()._argv(port), *(word for option in self.options for word in ("-c", option))]


@contextmanager
def debian_postgres(*options: str) -> Iterator[DebianPostgres]:
    """A running server, stopped and removed afterwards; the test skips where Debian's packages are missing."""
    major = installed()
    if major is None:
        pytest.skip("no Postgres of Debian with contrib here: apt-get install postgresql postgresql-contrib")
    # Not tmp_path: its name is too long for a Unix socket, and no other account can walk into it.
    directory = Path(tempfile.mkdtemp(prefix="bluegreen-"))
    try:
        server = DebianPostgres(directory, major, *options)
        asyncio.run(server.start())
        try:
            yield server
        finally:
            asyncio.run(server.stop())
    finally:
        shutil.rmtree(directory)
