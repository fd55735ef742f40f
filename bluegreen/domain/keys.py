"""The soft keys of one signal with their numbers, for people: what must hold beside the account's word.

What they are and how they turn stands in stakes.py; here they are told.
"""

from dataclasses import dataclass

from bluegreen.domain.figures import as_odds
from bluegreen.domain.history import Clients
from bluegreen.domain.stakes import SURELY, Key, Row
from bluegreen.domain.watch_rules import WatchRules

OFF = {
    Clients.DOMINATED: "most traffic of the live colour came from one place",
    Clients.UNKNOWN: "nobody knows which client asked",
}


@dataclass(frozen=True, slots=True)
class KeyReading:
    """One key of one signal. `turns`: it holds no cut back. `value` against `needed`: bad events, or odds x to 1 when
    its explanation is left out; `value` None: it is off, for the reason `off`."""

    key: Key
    turns: bool
    value: float | None
    needed: float
    off: str = ""

    def describe(self) -> str:
        """`one client (3:1 without it, 20:1 needed)`."""
        if self.value is None:
            return f"{self.key} (off: {self.off})"
        if self.key is Key.FEW:
            return f"few bad events ({self.value:,.0f}, {self.needed:,.0f} needed)"
        if self.key is Key.SHARED_CAUSE:
            return f"a shared cause ({as_odds(self.value)} against it, {as_odds(self.needed)} needed)"
        return f"one client ({as_odds(self.value)} without it, {as_odds(self.needed)} needed)"


def keys_of(row: Row, rules: WatchRules) -> tuple[KeyReading, ...]:
    """Every key of a row, turned or not. That on a shared cause is there only while both colours serve."""
    held, off = row.held_back(rules), OFF.get(row.tolerance.clients, "")
    found = [
        KeyReading(Key.FEW, Key.FEW not in held, row.bad, rules.min_bad),
        KeyReading(Key.ONE_CLIENT, Key.ONE_CLIENT not in held, row.without_one_client, SURELY, off),
    ]
    if row.not_shared is not None:
        found.append(KeyReading(Key.SHARED_CAUSE, Key.SHARED_CAUSE not in held, row.not_shared, SURELY))
    return tuple(found)
