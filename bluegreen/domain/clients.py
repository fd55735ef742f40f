"""Who failed: one client's failures count once per 10 s, so that one client that retries is not a crowd.

Repeats are left out of the bad ones and of all events alike; the first failure of a client always counts.
"""

from dataclasses import dataclass, field

from bluegreen.domain.signals import CLIENT_BUCKETS, Who

AGAIN_S = 10.0
"""Seconds after a failure that counted in which further ones of the same client are repeats."""

MOST = 50_000
"""Clients remembered at most; the one whose failure is the oldest is forgotten first, and may then count again."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Events by bucket of clients: `asked` (all) and `failed` (the bad ones), CLIENT_BUCKETS numbers each."""

    asked: tuple[int, ...]
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Heads:
    """A batch as it counts: without repeats. `buckets` None: nobody knows which client asked."""

    n: int
    bad: int
    buckets: Buckets | None = None
    repeats: int = 0


@dataclass(slots=True)
class Failures:
    """Who failed within the last AGAIN_S, by signal and client. Memory is bounded; nothing survives a restart, which
    costs at most one repeat per client."""

    _seen: dict[tuple[str, int], float] = field(default_factory=dict)

    def count(self, signal: str, n: int, bad: int, who: Who | None, t_s: float, *, merged: bool = True) -> Heads:
        """A batch of `bad` in `n` events as it counts at `t_s` (monotonic seconds). `merged` False: every failure
        counts, by bucket. Where `who` does not fit the counts, nobody knows who asked."""
        if who is None or not fits(who, n, bad):
            return Heads(n, bad)
        asked, failed, repeats = list(who.asked), [0] * CLIENT_BUCKETS, 0
        for client in who.failed:
            bucket = client % CLIENT_BUCKETS
            if merged and self._again(signal, client, t_s):
                asked[bucket] -= 1
                repeats += 1
            else:
                failed[bucket] += 1
        return Heads(n - repeats, bad - repeats, Buckets(tuple(asked), tuple(failed)), repeats)

    def __len__(self) -> int:
        return len(self._seen)

    def _again(self, signal: str, client: int, t_s: float) -> bool:
        key = (signal, client)
        at = self._seen.get(key)
        if at is not None and 0.0 <= t_s - at < AGAIN_S:
            return True
        self._seen.pop(key, None)
        self._seen[key] = t_s
        self._forget(t_s)
        return False

    def _forget(self, t_s: float) -> None:
        """The oldest stand first: a key is put in anew whenever it counts."""
        for _ in range(2):
            key = next(iter(self._seen))
            if len(self._seen) <= MOST and 0.0 <= t_s - self._seen[key] < AGAIN_S:
                return
            del self._seen[key]
            if not self._seen:
                return


def fits(who: Who, n: int, bad: int) -> bool:
    """Whether it tells of each event who asked, and of each bad one who failed."""
    if len(who.asked) != CLIENT_BUCKETS or sum(who.asked) != n or len(who.failed) != bad:
        return False
    failed = [0] * CLIENT_BUCKETS
    for client in who.failed:
        failed[client % CLIENT_BUCKETS] += 1
    return all(few <= many for few, many in zip(failed, who.asked, strict=True))
