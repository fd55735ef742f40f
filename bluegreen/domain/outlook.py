"""What would flip a verdict now: how many more bad events of one signal, coming one after the other.

Asked of a copy of the account: a question costs nothing of alpha.
"""

from bluegreen.domain.account import Account
from bluegreen.domain.evidence import Verdict, judge

SURELY = 1_000_000
"""Bad events after which it is not asked further: every rate is tolerated."""


def more_bad_to_cut(account: Account, signal: str) -> int | None:
    """Bad events in a row of `signal` after which the account would find the release worse; 0 where it does now, None
    where no number of them suffices. Fixed limits, which may cut earlier, are not asked."""
    if _convicts(account, signal, 0):
        return 0
    high = 1
    while not _convicts(account, signal, high):
        high *= 2
        if high > SURELY:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _convicts(account, signal, middle) else (middle, high)
    return high


def _convicts(account: Account, signal: str, more: int) -> bool:
    """Whether `more` bad events would do: each bet pays at least its stake for a bad event, so more never do less."""
    asked = Account.from_dict(account.to_dict())
    asked.observe(signal, n=more, bad=more, t_s=asked.t_s)
    return judge(asked).verdict is Verdict.REGRESSED
