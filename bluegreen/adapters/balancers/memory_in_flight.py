"""What is under way, in memory: a dictionary that a test fills."""

from collections.abc import Mapping

from bluegreen.domain.errors import BalancerUnreachable


class MemoryInFlight:
    """The InFlight port. `counts` is how many requests each dial has under way; `reachable` False: nobody tells."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.reachable = True

    async def in_flight(self) -> Mapping[str, int]:
        """A copy of `counts`. Raises BalancerUnreachable."""
        if not self.reachable:
            raise BalancerUnreachable
        return dict(self.counts)
