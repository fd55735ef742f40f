"""The corpus on Debian's Postgres, which counts the old version's queries: what a rehearsal says of a migration,
against what becomes of the old version."""

import asyncio

import pytest

from tests.adapters.rehearsal import claims
from tests.adapters.rehearsal.claims import Judged
from tests.debian_postgres import debian_postgres

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    # Each copy has statistics of its own, and those of production must not be the ones that have to make room.
    with debian_postgres("pg_stat_statements.max=100000") as server:
        return asyncio.run(claims.judge(server, tmp_path_factory.mktemp("corpus"), turn=2, from_statistics=True))


def test_the_verifier_and_the_author_of_the_corpus_are_of_one_mind(judged: list[Judged]) -> None:
    assert claims.wrong_expectations(judged) == []


def test_every_migration_can_be_rehearsed(judged: list[Judged]) -> None:
    assert claims.crashed(judged) == []


def test_whatever_breaks_or_fails_is_refused(judged: list[Judged]) -> None:
    assert claims.let_through(judged) == []


def test_at_most_one_in_eighteen_safe_ones_is_refused(judged: list[Judged]) -> None:
    assert claims.too_strict(judged) == []


def test_production_is_as_it_was_after_every_rehearsal(judged: list[Judged]) -> None:
    assert claims.production_changed(judged) == []
