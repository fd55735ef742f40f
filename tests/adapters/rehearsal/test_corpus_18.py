"""The corpus on Postgres 18: what a rehearsal says of a migration, against what becomes of the old version."""

import asyncio

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.rehearsal import claims
from tests.adapters.rehearsal.claims import Judged

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def judged(postgres18: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    return asyncio.run(claims.judge(postgres18, tmp_path_factory.mktemp("corpus"), turn=1))


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
