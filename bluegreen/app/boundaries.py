"""The moments of a phase between which a crash must be harmless: four of them, in this order.

`World.at_boundary` is called at each. In production it does nothing; a test lets the daemon die there, or keeps it
there while it looks around.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum

from bluegreen.domain.phases import Phase


class Boundary(StrEnum):
    """A phase that does nothing to the world has only the first and the last. The way back acts first: there the
    intent is in memory, and its write is the action."""

    BEFORE_INTENT = "before-intent"
    """The phase was entered, and nothing of it has begun."""
    AFTER_INTENT = "after-intent"
    """An action is announced in the journal, and was not tried."""
    AFTER_ACTION = "after-action"
    """The action was done, and its outcome is not in the journal."""
    AFTER_OUTCOME = "after-outcome"
    """The phase is over, and the next one is not saved."""


AtBoundary = Callable[[Phase, Boundary], Awaitable[None]]


async def pass_on(phase: Phase, boundary: Boundary) -> None:
    """Do nothing there."""
