"""A number from Prometheus: an instant query (PromQL), for each colour by itself where it says {colour}.

The answer must be one number: a scalar, or a vector of one series. Nothing, several, NaN and Inf are no data, and
never zero: `sum(...)` over nothing is nothing, and 0/0 is NaN. Prometheus answers a bad query with 400 and a
text that tells the place (prometheus.io/docs/prometheus/latest/querying/api). A value is at most as young as the last
scrape; asked more often than it scrapes, one scrape would count several times.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bluegreen.adapters.signals.fetching import Fetcher, Page, repeated
from bluegreen.adapters.signals.questions import Answer
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.traffic import Colour

COLOUR = "{colour}"


class Series(msgspec.Struct):
    """One series of a vector: when it was evaluated (epoch seconds), and its value as text."""

    value: tuple[float, str]


class Data(msgspec.Struct):
    """What a query gave."""

    kind: str = msgspec.field(name="resultType")
    result: msgspec.Raw


class Reply(msgspec.Struct):
    """The envelope of every answer."""

    status: str
    data: Data | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class PrometheusQuestions:
    """`url` is where Prometheus is, with its path prefix. `total`: another query; then both are counters."""

    url: str
    query: str
    fetcher: Fetcher
    total: str | None = None

    @property
    def colours(self) -> tuple[Colour | None, ...]:
        """Each colour where the query names it, else whoever serves."""
        return tuple(Colour) if COLOUR in self.query + (self.total or "") else (None,)

    async def ask(self) -> Sequence[Answer]:
        """The value for each colour, asked at once; each failure is that colour's."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._about(one), name=f"query:{one or 'all'}") for one in self.colours]
        return [task.result() for task in asked]

    async def _about(self, colour: Colour | None) -> Answer:
        try:
            async with asyncio.timeout(self.fetcher.timeout):
                if self.total is None:
                    _, value = await self._evaluated(self.query, colour)
                    return Answer(colour, value)
                at, total = await self._evaluated(self.total, colour)
                _, value = await self._evaluated(self.query, colour, at)  # of the same moment
                return Answer(colour, value, total)
        except TimeoutError:
            return Answer(colour, trouble=f"no answer within {self.fetcher.timeout:g} s")
        except SignalFailed as exc:
            return Answer(colour, trouble=exc.detail)

    async def _evaluated(self, query: str, colour: Colour | None, at: float | None = None) -> tuple[float, float]:
        """When it was evaluated, and what it gave."""
        form = {"query": query.replace(COLOUR, colour or ""), "timeout": f"{self.fetcher.timeout:g}"}
        if at is not None:
            form["time"] = f"{at:.3f}"
        page = await self.fetcher.post(f"{self.url.rstrip('/')}/api/v1/query", form)
        return _one(_data(page))


def _data(page: Page) -> Data:
    try:
        reply = msgspec.json.decode(page.body, type=Reply)
    except (ValueError, RecursionError):
        raise SignalFailed(_foreign(page)) from None
    if reply.status != "success" or reply.data is None:
        raise SignalFailed(f"Prometheus refuses the query: {repeated(reply.error) or page.status}")
    return reply.data


def _foreign(page: Page) -> str:
    if page.status == 404:
        return "there is no Prometheus at this url (404): write its path prefix, too, if it has one"
    if page.status >= 500:
        return f"Prometheus answers {page.status}: {repeated(page.body.decode(errors='replace'))}"
    return f"what answers ({page.status}) is not Prometheus"


def _one(data: Data) -> tuple[float, float]:
    try:
        if data.kind == "scalar":
            return _number(msgspec.json.decode(data.result, type=tuple[float, str]))
        if data.kind != "vector":
            raise SignalFailed(f"the query gives a {repeated(data.kind)}, and one number is needed: aggregate it")
        series = msgspec.json.decode(data.result, type=list[Series])
    except (ValueError, RecursionError):
        raise SignalFailed("what answers is not Prometheus: its result cannot be read") from None
    if not series:
        raise SignalFailed("no data: the query gives nothing; where nothing means zero, add `or vector(0)`")
    if len(series) > 1:
        raise SignalFailed(
            f"no data: the query gives {len(series)} series, and one number is needed; aggregate them, as in sum(...)"
        )
    return _number(series[0].value)


def _number(sample: tuple[float, str]) -> tuple[float, float]:
    try:
        return sample[0], float(sample[1])
    except ValueError:
        raise SignalFailed(f"the value {repeated(sample[1])} is no number") from None
