"""`GET /metrics`: the daemon as numbers, in Prometheus' text format, on the socket and, where configured, on loopback.

What happened is added up from the journal (app/chronicle.py), what stands now is read when somebody asks
(app/gauges.py), and how long the journal, Caddy and the event loop take is measured as it happens. The registry is our
own: nothing global, and nothing that another library registered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from time import monotonic

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bluegreen.app.chronicle import Spread, Sums
from bluegreen.app.gauges import Gauges
from bluegreen.interfaces.metric_families import families, spreads
from bluegreen.interfaces.problems import answer_problems

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Understood by every Prometheus; our names need nothing newer."""

EXCHANGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds in seconds."""

FRESH = 0.5
"""Seconds for which an answer is given again: everybody may ask, and nobody is to keep the daemon busy by that."""

LOOP_LOOK = 1.0
"""Seconds between two looks at the event loop."""

Measure = Callable[[], Awaitable[Gauges]]
Exposition = Callable[[], Awaitable[bytes]]
"""What `GET /metrics` answers now."""

EXPOSITION: web.AppKey[Exposition] = web.AppKey("exposition")


async def nothing() -> bytes:
    """The exposition of who measures nothing."""
    return b""


class Metrics:
    """All metrics of one daemon. Made before what it measures, since it takes the times from the first exchange on."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._exchanges: dict[str, dict[tuple[str, ...], Spread]] = {"journal": {}, "caddy": {}}
        self._lag = Spread(LAGS)
        ProcessCollector(registry=self._registry)

    def timed(self, part: str) -> Callable[[str, float], None]:
        """Takes (operation, seconds) of each exchange with "journal" or "caddy"."""
        seen = self._exchanges[part]
        return lambda operation, seconds: seen.setdefault((operation,), Spread(EXCHANGES)).add(seconds)

    async def watch_loop(self) -> None:
        """Measure the event loop until cancelled."""
        while True:
            due = monotonic() + LOOP_LOOK
            await asyncio.sleep(LOOP_LOOK)
            self._lag.add(max(0.0, monotonic() - due))

    def exposition(self, measure: Measure, sums: Callable[[], Sums]) -> Exposition:
        """What `GET /metrics` answers. `measure` gives what stands now, `sums` what happened."""
        moment, one_at_a_time = _Moment(), asyncio.Lock()
        self._registry.register(moment)

        async def answer() -> bytes:
            async with one_at_a_time:
                if monotonic() - moment.at >= FRESH:
                    gauges = await measure()
                    moment.families = (*families(sums(), gauges), *self._measured())
                    moment.text, moment.at = generate_latest(self._registry), monotonic()
                return moment.text

        return answer

    def _measured(self) -> Iterator[Metric]:
        journal, caddy, operation = self._exchanges["journal"], self._exchanges["caddy"], ["operation"]
        yield spreads(
            "journal_seconds", "Time of one exchange with the journal, also of a failed one.", journal, operation
        )
        text = "Time of one request to Caddy's admin endpoint, also of a failed one."
        yield spreads("caddy_request_seconds", text, caddy, operation)
        text = "How much later than asked the daemon's event loop woke up; one value a second."
        yield spreads("event_loop_lag_seconds", text, {(): self._lag})


class _Moment(Collector):
    """What was measured last, and when."""

    families: tuple[Metric, ...] = ()
    text = b""
    at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        yield from self.families

    def describe(self) -> Iterable[Metric]:
        return ()


async def metrics(request: web.Request) -> web.Response:
    """The daemon as numbers, in Prometheus' text format."""
    return web.Response(body=await request.app[EXPOSITION](), headers={"Content-Type": CONTENT_TYPE})


def make_metrics(exposition: Exposition) -> web.Application:
    """The application of the loopback listener. It shows numbers and takes nothing, since whoever can connect may
    ask."""
    app = web.Application(middlewares=[answer_problems], client_max_size=1)
    app[EXPOSITION] = exposition
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _healthy)
    return app


async def _healthy(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
