"""The SQL that lies beside the code."""

import re
from pathlib import Path

import postgast
import pytest

from bluegreen.adapters.postgres import queries

HERE = Path(queries.__file__).parent
NAMES = re.findall(r"^-- name: (\w+)$", (HERE / "queries.sql").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_one_statement_with_a_description_and_is_used(name: str) -> None:
    text = queries.query(name)
    assert text.startswith("-- ")
    assert len(postgast.parse(text).stmts) == 1
    assert any(f'query("{name}")' in path.read_text() for path in HERE.glob("*.py"))


def test_every_query_that_is_asked_for_exists() -> None:
    asked = {name for path in HERE.glob("*.py") for name in re.findall(r'query\("(\w+)"\)', path.read_text())}
    assert asked == set(NAMES)
