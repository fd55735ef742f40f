"""Whether the sources of signals can be heard now, in words: silent, behind, failed, or still catching up."""

from bluegreen.app.attention import CATCH_UP, Attention
from bluegreen.ports import Clock, SignalSource


class Hearing:
    """Looks at the sources; changes nothing."""

    def __init__(self, clock: Clock, sources: tuple[SignalSource, ...], attention: Attention) -> None:
        self._clock = clock
        self._sources = {source.name: source for source in sources}
        self._attention = attention

    def silent(self, seconds: float) -> dict[str, str]:
        """Sources that were alive and have said nothing for so long, or hear what is older than that, in words."""
        now = self._clock.monotonic()
        found = {}
        for name, source in self._sources.items():
            if source.heard_at is not None and now - source.heard_at > seconds:
                found[name] = f"{name} has said nothing for {now - source.heard_at:.0f} s"
            elif source.behind > seconds:
                found[name] = f"{name} is {source.behind:.0f} s behind"
        return found

    def troubles(self, seconds: float) -> dict[str, str]:
        """The same and those that have failed, in their own words."""
        failed = {name: source.problem for name, source in self._sources.items() if source.problem}
        return {**self.silent(seconds), **failed}

    def caught_up(self) -> bool:
        """Whether all that came before the watch loop began, or while nobody watched, was read and judged.

        True also where a source had CATCH_UP seconds for it: what it is then is for the verdict to say.
        """
        return not self._attention.away and not any(self.late(name) for name in self._sources)

    def late(self, source: str) -> bool:
        """Whether a source still reads what came before the watch loop began, or while nobody watched."""
        since = self._attention.awake_since
        if source not in self._sources or self._clock.monotonic() - since > CATCH_UP:
            return False
        at = self._sources[source].caught_up_at
        return self._attention.away or at is None or at < since
