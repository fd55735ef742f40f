"""What the app needs of the colours beside starting them: what they are given, and what one accepts of the other.

The rules are those of ports.py.
"""

from typing import Protocol

from bluegreen.domain.checks import CheckResult, Given, Minted, Target
from bluegreen.domain.papers import Papers
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import Rules
from bluegreen.domain.variables import Prints


class Variables(Protocol):
    """The variables that a colour's processes are given: names and fingerprints, never values."""

    @property
    def rules(self) -> Rules:
        """Which are secrets, which may differ, as configured."""

    async def of(self, colour: Colour, release: Release | None = None) -> Prints | None:
        """Each variable's name and the keyed fingerprint of its value, as the colour is configured now, those of
        `release` over those of its files; equal values have equal fingerprints in both colours, and nobody without the
        key can try values out. None where no file of variables is configured. Raises VariablesUnreadable."""

    async def example(self, text: str) -> Prints:
        """The same of an example's text; a name without a value has an empty one. Raises VariablesUnreadable."""


class ReleasePapers(Protocol):
    """What comes with a release for people to read: its changelog, and the example of its variables."""

    async def read(self, release: Release) -> Papers:
        """Read them. A file that cannot be read is told in the answer: nothing is raised for it."""


class Continuity(Protocol):
    """Whether what one colour gave its users (a session, a token) holds on the other."""

    @property
    def name(self) -> str:
        """How people name this check."""

    @property
    def gives(self) -> Given:
        """What users are given."""

    async def mint(self, target: Target) -> Minted | CheckResult:
        """Log in (or the like) on one colour, directly at its addresses, and keep what came of it. A failure is a
        result, never an exception."""

    async def use(self, minted: Minted, target: Target) -> CheckResult:
        """Ask a colour with what was minted, perhaps elsewhere; it can be used again. A failure is a result, never an
        exception."""

    async def end(self, minted: Minted, target: Target) -> CheckResult | None:
        """Give back what was minted, on the colour that gave it (log out); None where nothing is to be done. A failure
        is a result, never an exception."""
