"""What is left out of `make test` is there, and is held by something that is not left out."""

from pathlib import Path

import pytest

from tests.thorough import left_out, parted

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("id", "held"), left_out().items())
def test_what_is_left_out_exists_and_is_held_by_something_else(id: str, held: str) -> None:
    file, *_, name = id.split("::")
    texts = "".join(path.read_text() for path in (ROOT / file).parent.glob("*.py"))
    assert f"def {name.partition('[')[0]}" in texts, "it is gone: take its line out"
    assert (ROOT / held).exists(), "what holds the promise is gone"


def test_only_what_is_listed_is_left_out() -> None:
    some = next(iter(left_out()))
    assert parted(["tests/a.py::test_one", some, f"{some}[more]"]) == ([0], [1, 2])
