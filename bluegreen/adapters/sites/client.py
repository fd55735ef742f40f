"""`caddy-api-client` (0.2.5) for one change: it builds the site, and every request that it wants to make goes past us.

What it does by itself, and why it is not let: it asks a proxy of the environment, waits 10 s at each request, swallows
what failed into a bare Exception, posts the whole configuration without a condition, and would DELETE all of
`apps/tls` in one of its calls. Importing it imports `requests`: only who adds a site pays for that.
"""

import copy
from collections.abc import Callable

from caddy_api_client import CaddyAPIClient

from bluegreen.adapters.sites.wire import WHOLE, Whole, Wire
from bluegreen.domain.errors import BluegreenError, ChangeRefused
from bluegreen.domain.records import Json


class Answer:
    """As much of an answer as the client looks at."""

    def __init__(self, value: Json) -> None:
        self._value = value

    def json(self) -> Json:
        """The body."""
        return self._value


class GuardedClient(CaddyAPIClient):  # type: ignore[misc] # it ships no types
    """The client on what was read: it may read that, and post once; what it posts is put right by `correct` first.

    `wanted` is what was posted; None before.
    """

    def __init__(self, wire: Wire, read: Whole, correct: Callable[[Json], Json]) -> None:
        super().__init__(wire.base)
        self._wire, self._read, self._correct = wire, read, correct
        self.wanted: Json = None
        self.failure: BluegreenError | None = None

    def _make_request(self, method: str, endpoint: str, data: Json = None, headers: Json = None) -> Answer:
        """In the place of its own: it makes every request by this method."""
        if (method, endpoint) == ("GET", WHOLE):
            return Answer(copy.deepcopy(self._read.value))
        if (method, endpoint) == ("POST", WHOLE) and self.wanted is None:
            try:
                wanted = self._correct(data)
                self.wanted = wanted
                self._wire.replace(wanted, self._read.etag)
            except BluegreenError as exc:
                self.failure = exc
                raise
            return Answer(None)
        raise PermissionError(f"{method} {endpoint} is none of its business here")


def change(wire: Wire, read: Whole, work: Callable[[CaddyAPIClient], object], correct: Callable[[Json], Json]) -> Json:
    """Let the client do its work on what was read; returns the configuration that was posted. Blocks.

    Raises as Wire.replace does, ChangeRefused where the client cannot work on this configuration; nothing was sent
    then.
    """
    client = GuardedClient(wire, read, correct)
    try:
        work(client)
    except Exception as exc:  # the client raises bare Exceptions, whatever happened
        if client.failure is not None:
            raise client.failure from exc
        raise ChangeRefused(f"caddy-api-client cannot work on this configuration: {exc}") from exc
    return client.wanted
