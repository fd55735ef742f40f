"""A number in a JSON document, by JSON pointer (RFC 6901) or JSONPath (RFC 9535).

A path is read without `match` and `search`: a regular expression can take for ever over a document that somebody
shaped, and while it does nothing else turns. Without them a path can still take long over a large document: it is
looked up beside the event loop, and one at a time.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

import jsonpath
import msgspec

from bluegreen.adapters.signals.aside import aside
from bluegreen.adapters.signals.fetching import repeated
from bluegreen.domain.errors import ConfigurationError, SignalFailed


@dataclass(slots=True)
class JsonPlace:
    """Where the number stands. Make it with `written`."""

    text: str
    path: jsonpath.JSONPath | jsonpath.CompoundJSONPath | None = field(default=None, repr=False)
    _last: "asyncio.Future[list[Any]] | None" = field(default=None, init=False, repr=False)
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    @classmethod
    def written(cls, text: str) -> Self:
        """As the settings write it: "/pointer" or "$.path". Raises ConfigurationError telling what is wrong with it."""
        if text.startswith("$"):
            try:
                return cls(text, _environment().compile(text))
            except jsonpath.JSONPathError as exc:
                raise ConfigurationError(f"{text} is no JSONPath: {str(exc).partition(chr(10))[0]}") from None
        if text and not text.startswith("/"):
            raise ConfigurationError(f'{text} is neither a JSON pointer ("/jobs/failed") nor a JSONPath ("$.jobs[0]")')
        return cls(text)

    async def number(self, document: Any) -> float:
        """The number there; true is 1 and false 0. Raises SignalFailed: nothing is there, or it is no number."""
        value = _at(document, self.text) if self.path is None else await self._by_path(document)
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                raise SignalFailed(f"at {self.text} stands a text, and a number is needed") from None
        if not isinstance(value, int | float):
            what = "null" if value is None else "an object" if isinstance(value, dict) else "a list"
            raise SignalFailed(f"no data: at {self.text} stands {what}, and a number is needed")
        try:
            return float(value)
        except OverflowError:
            raise SignalFailed(f"no data: the number at {self.text} is too large") from None

    async def _by_path(self, document: Any) -> Any:
        try:
            found = await self._looked_up(document)
        except (jsonpath.JSONPathError, RecursionError, LookupError, TypeError, ValueError) as exc:
            raise SignalFailed(f"{self.text} cannot be looked up: {repeated(exc)}") from None
        if not found:
            raise SignalFailed(f"no data: nothing fits {self.text}")
        if len(found) > 1:
            raise SignalFailed(f"no data: several values fit {self.text}, and one is needed; say which, as in [0]")
        return found[0]

    async def _looked_up(self, document: Any) -> list[Any]:
        async with self._alone:
            if self._last is not None:
                await asyncio.wait([self._last])  # one that nobody waited for to its end
            self._last = aside(lambda: self._first(document), f"looking up {self.text}")
            return await asyncio.shield(self._last)

    def _first(self, document: Any) -> list[Any]:
        """The first match, and the second as a sign that there are more."""
        assert self.path is not None  # noqa: S101 - only called where there is a path
        found = []
        for match in self.path.finditer(document):
            found.append(match.obj)
            if len(found) > 1:
                break
        return found


def decoded(body: bytes) -> Any:
    """The document. Raises SignalFailed where it is none."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise SignalFailed("its answer is not JSON") from None


def _at(value: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise SignalFailed(f"no data: there is nothing at {pointer}")
    return value


def _environment() -> jsonpath.JSONPathEnvironment:
    environment = jsonpath.JSONPathEnvironment(strict=True)
    for name in ("match", "search"):
        del environment.function_extensions[name]
    return environment
