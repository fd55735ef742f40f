"""The corpus on Debian's Postgres, which counts the old version's queries: what a rehearsal says of a migration,
against what becomes of the old version."""

import asyncio

import pytest

from tests.adapters.rehearsal import claims
from tests.adapters.rehearsal.claims import Judged
from tests.adapters.rehearsal.corpus_suite import Corpus
from tests.debian_postgres import debian_postgres

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    # Each copy has statistics of its own, and those of production must not be the ones that have to make room.
    with debian_postgres("pg_stat_statements.max=100000") as server:
        return asyncio.run(claims.judge(server, tmp_path_factory.mktemp("corpus"), turn=2, from_statistics=True))


class TestCorpus15(Corpus):
    """All of it here."""
