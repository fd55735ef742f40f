"""The SQL that lies beside the code of each family."""

import re
from pathlib import Path

import postgast
import pytest

from bluegreen.adapters import postgres

ADAPTERS = Path(postgres.__file__).parent.parent
FILES = sorted(path for path in ADAPTERS.glob("*/*.sql") if "-- name: " in path.read_text())
NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
NAMED = [(path, name) for path in FILES for name in NAME.findall(path.read_text())]
CODE = {path: path.read_text() for path in ADAPTERS.glob("*/*.py")}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path.parent.name}-{name}" for path, name in NAMED])
def test_a_query_is_one_statement_with_a_description_and_is_used(path: Path, name: str) -> None:
    text = re.split(rf"^-- name: {name}$", path.read_text(), flags=re.MULTILINE)[1].split("-- name: ")[0].strip()
    assert text.startswith("-- ")
    assert len(postgast.parse(re.sub(r"\{\w+\}", "x", text)).stmts) == 1  # what differs by version is filled in
    assert any(f'("{name}")' in code for code in CODE.values())


def test_every_query_that_is_asked_for_exists() -> None:
    asked = {name for code in CODE.values() for name in re.findall(r'\b(?:query|own)\("(\w+)"\)', code)}
    assert asked - {name for _, name in NAMED} == set()
