"""The words of the pointer file: one line that says where users go, and under which generation.

`green g43`: all users to green. `green-or-blue g43`: to green, and to blue where green does not answer.
`green-5 g43`: 5 % of the users to green, the others to blue. The first word chooses the arm of every service; what
follows it is for us. A person may write `green` alone: it counts, without a generation.
"""

import re
from dataclasses import dataclass

from bluegreen.domain.traffic import Colour, Split

LINE = re.compile(
    r"(?P<word>(?P<colour>blue|green)"
    r"(?:-(?:or-(?P<second>blue|green)|(?P<share>[0-9]{1,2}(?:\.[0-9]{1,2})?)))?)"
    r"(?:[\t\n\f\r ]+g(?P<number>[0-9]{1,15}))?(?:[\t\n\f\r ].*)?",
    re.DOTALL,
)
"""As Caddy reads it: the first word up to white space (RE2's), whatever follows. The arms match the very word, so that
`green-05` is none of `green-5`."""


@dataclass(frozen=True, slots=True)
class Pointed:
    """What the file says: a colour or a split, with or without the fallback to the other colour, and our stamp."""

    to: Colour | Split
    fallback: bool = False
    generation: int | None = None

    @property
    def word(self) -> str:
        """What chooses the arm."""
        return word_of(self.to, fallback=self.fallback)

    @property
    def line(self) -> str:
        """The whole file."""
        return f"{self.word}\n" if self.generation is None else f"{self.word} g{self.generation}\n"


def word_of(to: Colour | Split, *, fallback: bool = False) -> str:
    """The word for where users go; a split has no fallback."""
    if isinstance(to, Split):
        return f"{to.colour}-{round(100 * to.share, 2):g}"
    return f"{to}-or-{to.other}" if fallback else str(to)


def read_line(text: str) -> Pointed | None:
    """What a file says; None where it is empty or says what we do not know: the last arm serves then."""
    found = LINE.fullmatch(text)
    if found is None or found["second"] == found["colour"]:
        return None
    colour, number = Colour(found["colour"]), found["number"]
    to = Split(colour, round(float(found["share"]) / 100, 4)) if found["share"] else colour
    pointed = Pointed(to, fallback=found["second"] is not None, generation=int(number) if number else None)
    return pointed if pointed.word == found["word"] else None
