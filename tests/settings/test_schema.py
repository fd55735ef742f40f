"""The JSON Schema of the configuration takes what the program takes."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from bluegreen.settings import json_schema

jsonschema = pytest.importorskip("jsonschema_rs", reason="it comes with schemathesis")

EXAMPLE = Path(__file__).parent.parent.parent / "config" / "bluegreen.example.toml"


def _valid(document: dict[str, Any]) -> bool:
    return bool(jsonschema.validator_for(json_schema()).is_valid(document))


def test_the_example_is_valid() -> None:
    document = tomllib.loads(EXAMPLE.read_text())
    jsonschema.validator_for(json_schema()).validate(document)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("watch", "window", 30),
        ("watch", "window", "30"),
        ("watch", "min_effect", "a lot"),
        ("backup", "min_free", 3),
        ("daemon", "sockett", "/run/x"),
        ("hooks", "listen", 9095),
    ],
)
def test_what_the_program_refuses_is_not_valid(section: str, key: str, value: object) -> None:
    document = tomllib.loads(EXAMPLE.read_text())
    assert _valid(document)
    document.setdefault(section, {})[key] = value
    assert not _valid(document)


def test_every_key_is_described() -> None:
    undescribed = [
        f"{name}.{key}"
        for name, model in json_schema()["$defs"].items()
        for key, field in model.get("properties", {}).items()
        if not (field.get("description") or "$ref" in field)
    ]
    assert undescribed == []
