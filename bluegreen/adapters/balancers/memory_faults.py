"""The faults that a balancer in memory meets on demand: those of a real one."""

from enum import StrEnum

from bluegreen.domain.errors import (
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
)


class Fault(StrEnum):
    """What happens to one write."""

    UNREACHABLE = "no connection: nothing was sent"
    LANDS_LATE = "no answer in time; the write stays under way until `land()`"
    LOST_WITH_EFFECT = "the connection is lost after the write took effect"
    LOST_WITHOUT_EFFECT = "the connection is lost before the write took effect"
    REFUSED = "the balancer answers and refuses"
    FOREIGN_CHANGE = "somebody else changed the configuration meanwhile"
    NO_EFFECT = "answered with success, and nothing happened"


def meet(fault: Fault) -> None:
    """Raise what a writer sees of this fault; nothing where it sees a success."""
    match fault:
        case Fault.UNREACHABLE:
            raise BalancerUnreachable
        case Fault.LANDS_LATE:
            raise ChangeUnknown
        case Fault.LOST_WITH_EFFECT | Fault.LOST_WITHOUT_EFFECT:
            raise ConnectionLost
        case Fault.REFUSED:
            raise ChangeRefused
        case Fault.FOREIGN_CHANGE:
            raise ForeignChange
        case Fault.NO_EFFECT:
            return
