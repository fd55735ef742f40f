"""The corpus on Postgres 18: what a rehearsal says of a migration, against what becomes of the old version."""

import asyncio

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.rehearsal import claims
from tests.adapters.rehearsal.claims import Judged
from tests.adapters.rehearsal.corpus_suite import Corpus

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def judged(postgres18: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    return asyncio.run(claims.judge(postgres18, tmp_path_factory.mktemp("corpus"), turn=1))


class TestCorpus18(Corpus):
    """All of it here."""
