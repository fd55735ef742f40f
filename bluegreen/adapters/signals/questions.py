"""What a source that has to be asked is asked, and what comes of it: numbers, or in words why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bluegreen.domain.traffic import Colour


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question brought. `colour` None: it is about whoever serves. `trouble`: why there is no value, for
    people. `total`: `value` counts the bad ones of so many, both since some moment in the past. `place` tells several
    answers about one colour apart."""

    colour: Colour | None
    value: float = math.nan
    total: float | None = None
    trouble: str = ""
    place: str = ""


class Questions(Protocol):
    """What is asked in one turn."""

    @property
    def colours(self) -> tuple[Colour | None, ...]:
        """Whom it is about: each colour by itself, or (None,) for whoever serves."""

    async def ask(self) -> Sequence[Answer]:
        """Ask once for everyone, within the budget given. Raises SignalFailed where nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two questions, seconds for one answer, and how many failures in a row are an error."""

    interval: float = 5.0
    timeout: float = 3.0
    errors: int = 3


def troubles(answers: Sequence[Answer]) -> dict[Colour | None, str]:
    """Why a colour is not heard; empty where one of its answers has a value."""
    found: dict[Colour | None, str] = {}
    for answer in answers:
        found[answer.colour] = answer.trouble and found.get(answer.colour, answer.trouble)
    return found


def finite(answer: Answer) -> Answer:
    """The answer, where its numbers are numbers."""
    for number in (answer.value, answer.total):
        if not answer.trouble and number is not None and not math.isfinite(number):
            return Answer(answer.colour, trouble=f"no data: the value is {_named(number)}", place=answer.place)
    return answer


def _named(number: float) -> str:
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
