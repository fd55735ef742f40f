"""What the app needs of the colours beside starting them: what they are given, and what one accepts of the other.

The rules are those of ports.py.
"""

from collections.abc import Mapping
from typing import Protocol

from bluegreen.domain.checks import CheckResult, Minted, Target
from bluegreen.domain.papers import Papers
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour


class Variables(Protocol):
    """The variables that a colour's processes are given: names and fingerprints, never values."""

    async def of(self, colour: Colour) -> Mapping[str, str] | None:
        """Each variable's name and the keyed fingerprint of its value, as the colour is configured now; equal values
        have equal fingerprints in both colours, and nobody without the key can try values out. None where no file of
        variables is configured. Raises VariablesUnreadable."""


class ReleasePapers(Protocol):
    """What comes with a release for people to read: its changelog, and the example of its variables."""

    async def read(self, release: Release) -> Papers:
        """Read them. A file that cannot be read is told in the answer: nothing is raised for it."""


class Continuity(Protocol):
    """Whether what one colour gave its users (a session, a token) holds on the other."""

    @property
    def name(self) -> str:
        """How people name this check."""

    async def mint(self, target: Target) -> Minted | CheckResult:
        """Log in (or the like) on one colour, directly at its addresses, and keep what came of it. A failure is a
        result, never an exception."""

    async def use(self, minted: Minted, target: Target) -> CheckResult:
        """Ask a colour with what was minted, perhaps elsewhere. A failure is a result, never an exception."""
