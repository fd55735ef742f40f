"""A receiver that keeps what it was told, and refuses or hangs when a test says so."""

import asyncio

from bluegreen.adapters.notifiers.wishes import EVERYTHING, Wishes
from bluegreen.domain.errors import NotifierFailed
from bluegreen.domain.records import Notice


class MemoryNotifier:
    """The Notifier port on a list. `failing`: the reason it refuses with; `hanging`: it never answers."""

    def __init__(self, name: str = "memory", *, wishes: Wishes = EVERYTHING, timeout: float = 10.0) -> None:
        self._name = name
        self._wishes = wishes
        self._timeout = timeout
        self.sent: list[Notice] = []
        self.failing = ""
        self.hanging = False

    @property
    def name(self) -> str:
        return self._name

    def wants(self, notice: Notice) -> bool:
        return self._wishes.match(notice)

    async def send(self, notice: Notice) -> None:
        if self.hanging:
            await asyncio.sleep(self._timeout)
            raise NotifierFailed(f"notifier {self._name}: no answer within {self._timeout:g} s")
        if self.failing:
            raise NotifierFailed(f"notifier {self._name}: {self.failing}")
        self.sent.append(notice)
