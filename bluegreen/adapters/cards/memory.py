"""The cutback card in memory, for the fast tests of the app."""

from bluegreen.domain.errors import JournalUnwritable
from bluegreen.domain.traffic import Card


class MemoryCards:
    """The Cards port on a variable. With `full` set every write is refused; `written` keeps them all."""

    def __init__(self) -> None:
        self.full = False
        self.written: list[Card] = []

    async def write(self, card: Card) -> None:
        if self.full:
            raise JournalUnwritable("the cards in memory were told to refuse writes")
        self.written.append(card)

    async def read(self) -> Card | None:
        return self.written[-1] if self.written else None
