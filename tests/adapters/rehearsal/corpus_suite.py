"""What must hold of the corpus on every server: one suite, with a file for each server to run it side by side."""

from tests.adapters.rehearsal import claims
from tests.adapters.rehearsal.claims import Judged


class Corpus:
    """Asked of what was judged on one server (fixture `judged`)."""

    def test_the_verifier_and_the_author_of_the_corpus_are_of_one_mind(self, judged: list[Judged]) -> None:
        assert claims.wrong_expectations(judged) == []

    def test_every_migration_can_be_rehearsed(self, judged: list[Judged]) -> None:
        assert claims.crashed(judged) == []

    def test_whatever_breaks_or_fails_is_refused(self, judged: list[Judged]) -> None:
        assert claims.let_through(judged) == []

    def test_at_most_one_in_eighteen_safe_ones_is_refused(self, judged: list[Judged]) -> None:
        assert claims.too_strict(judged) == []

    def test_production_is_as_it_was_after_every_rehearsal(self, judged: list[Judged]) -> None:
        assert claims.production_changed(judged) == []
