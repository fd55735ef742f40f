"""What a route of the API is made of."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from bluegreen.interfaces.peers import Right

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]

NAME = "[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"

PARAMETERS = {
    "id": "[A-Za-z0-9._:-]{1,128}",
    "colour": "blue|green",
    "name": NAME,
    "backup": "[A-Za-z0-9._-]{1,255}",
    "site": "[A-Za-z0-9_][A-Za-z0-9._-]{0,252}",
}
"""What may stand in the path; anything else is a 404."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path: its right, what it takes (`body`, `query`), what it gives (`answer`, `status`); with `text`
    it gives plain text."""

    method: str
    path: str
    handler: Answering
    right: Right
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    stream: bool = False
    text: bool = False

    @property
    def pattern(self) -> str:
        """The path as aiohttp matches it."""
        return re.sub(r"{(\w+)}", lambda found: f"{{{found[1]}:{PARAMETERS[found[1]]}}}", self.path)

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]
