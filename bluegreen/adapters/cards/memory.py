"""The cutback card in memory, for the fast tests of the app."""

from bluegreen.domain.errors import JournalUnwritable
from bluegreen.domain.traffic import Card, Mark


class MemoryCards:
    """The Cards port on variables. With `full` set every write is refused; `written` keeps all cards."""

    def __init__(self) -> None:
        self.full = False
        self.written: list[Card] = []
        self._mark: Mark | None = None

    async def write(self, card: Card) -> None:
        self._check()
        self.written.append(card)

    async def read(self) -> Card | None:
        return self.written[-1] if self.written else None

    async def mark(self, mark: Mark) -> None:
        self._check()
        self._mark = mark

    async def marked(self) -> Mark | None:
        return self._mark

    async def unmark(self) -> None:
        self._check()
        self._mark = None

    def _check(self) -> None:
        if self.full:
            raise JournalUnwritable("the cards in memory were told to refuse writes")
