"""What is told of variables, as JSON: names, never values. See models.py."""

from collections.abc import Mapping

from bluegreen.domain.traffic import Colour
from bluegreen.domain.variables import Kind, Level
from bluegreen.interfaces.models_base import Answer


class Finding(Answer):
    """One thing about the variables `keys`, in words. `level`: a note, a warning, or what a deployment is refused
    for."""

    kind: Kind
    level: Level
    keys: tuple[str, ...]
    text: str


class VariableCheck(Answer):
    """What the idle colour would give `release`; `passed`: a deployment would not be refused for it. `doubts`: what
    could not be compared. `changed`: the names that the colours have different values of. `counts`: how many names
    stand in the "example" and on each colour."""

    release: str
    live: Colour
    idle: Colour
    passed: bool
    findings: tuple[Finding, ...]
    doubts: tuple[str, ...]
    changed: tuple[str, ...]
    counts: Mapping[str, int]
