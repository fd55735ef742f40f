"""Sites in memory, for the tests of the app: a list, and what goes wrong with it on demand."""

from collections.abc import Awaitable, Callable

from bluegreen.domain.errors import BluegreenError, NotFound, RequestRefused
from bluegreen.domain.sites import Left, Site, SiteWish


class MemorySites:
    """The port Sites on a dictionary. Scripted from outside: `takes_effect` is done where a write would be, and its
    return undone with `undo`; `refusal` is raised instead of the next write; `leaves` is what `left` finds."""

    def __init__(self) -> None:
        self.standing: dict[str, Site] = {}
        self.refusal: BluegreenError | None = None
        self.leaves: Left | None = None
        self.takes_effect: Callable[[], object] = lambda: None
        self.undo: Callable[[], object] = lambda: None

    async def sites(self) -> tuple[Site, ...]:
        """What stands."""
        return tuple(self.standing.values())

    async def add(self, wish: SiteWish, proved: Callable[[], Awaitable[None]]) -> bool:
        """One more, if it is not there."""
        await self._refuse_left()
        if wish.name in self.standing:
            return False
        await self._change(self._with(wish), proved)
        return True

    async def remove(self, name: str, proved: Callable[[], Awaitable[None]], *, force: bool = False) -> Site:
        """One less."""
        await self._refuse_left()
        if name not in self.standing:
            raise NotFound(f"there is no site {name}", next=("bluegreen site show",))
        site = self.standing[name]
        await self._change({key: each for key, each in self.standing.items() if key != name}, proved)
        return site

    async def left(self) -> Left | None:
        """As the test says."""
        return self.leaves

    def _with(self, wish: SiteWish) -> dict[str, Site]:
        path = f"memory/{wish.name}"
        site = Site(wish.name, wish.host, path, wish.dials, (wish.listen or ":443",), wish.tls)
        return self.standing | {wish.name: site}

    async def _change(self, wanted: dict[str, Site], proved: Callable[[], Awaitable[None]]) -> None:
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal
        before, self.standing = self.standing, wanted
        self.takes_effect()
        try:
            await proved()
        except BluegreenError:
            self.standing = before
            self.undo()
            raise

    async def _refuse_left(self) -> None:
        if self.leaves is not None:
            raise RequestRefused(f"{self.leaves.file} has what was there before", next=self.leaves.next)
