"""The corpus on Postgres 16: what a rehearsal says of a migration, against what becomes of the old version."""

import asyncio

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.rehearsal import claims
from tests.adapters.rehearsal.claims import Judged
from tests.adapters.rehearsal.corpus_suite import Corpus

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def judged(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    return asyncio.run(claims.judge(postgres, tmp_path_factory.mktemp("corpus"), turn=0))


class TestCorpus16(Corpus):
    """All of it here."""
