"""Tells people by an HTTP POST of one JSON document.

The URL of a chat's webhook is its password, and aiohttp's errors quote it: so an error here says what went
wrong and names the receiver, and the library's exception, which a traceback would print, is not chained.
"""

import asyncio
import os
from collections.abc import Mapping

import aiohttp

from bluegreen.adapters.notifiers.wishes import EVERYTHING, Wishes, document
from bluegreen.domain.errors import NotifierFailed
from bluegreen.domain.records import Notice


class Webhook:
    """The Notifier port on a URL. Any 2xx is a delivery; a redirect is refused, it would carry the notice elsewhere."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        wishes: Wishes = EVERYTHING,
        timeout: float = 10.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`timeout` in seconds for the whole delivery; `headers` are sent too (a bearer token, say)."""
        self._name = name
        self._url = url
        self._wishes = wishes
        self._timeout = timeout
        self._headers = dict(headers or {})

    @property
    def name(self) -> str:
        """The name in [[notify]]."""
        return self._name

    def wants(self, notice: Notice) -> bool:
        """Whether event and severity are wanted."""
        return self._wishes.match(notice)

    async def send(self, notice: Notice) -> None:
        """POST the notice. Raises NotifierFailed, which does not name the URL."""
        problem = await self._problem(document(notice))
        if problem:
            raise NotifierFailed(f"notifier {self._name}: {problem}", notifier=self._name)

    async def _problem(self, body: bytes) -> str:
        """What kept the notice from being delivered; "" where it was."""
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._post(body)
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return _reason(exc)
        return "" if 200 <= status < 300 else f"the receiver answered {status}"

    async def _post(self, body: bytes) -> int:
        headers = {"Content-Type": "application/json", "User-Agent": "bluegreen", **self._headers}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                self._url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
            ) as response,
        ):
            return response.status


def _reason(exc: Exception) -> str:
    if isinstance(exc, aiohttp.InvalidURL):
        return "its URL is not valid"
    number = exc.errno if isinstance(exc, OSError) else None
    return f"not delivered: {os.strerror(number) if number and number > 0 else type(exc).__name__}"
