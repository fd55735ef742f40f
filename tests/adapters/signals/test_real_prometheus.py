"""What a real Prometheus answers: values and counters of each colour, and its own words where there are none."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.fetching import Fetcher
from bluegreen.adapters.signals.polled import Polled
from bluegreen.adapters.signals.prometheus import PrometheusQuestions
from bluegreen.adapters.signals.questions import Pace
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.signals import Gauged
from tests.adapters.signals.heard import BLUE, GREEN, Heard, running
from tests.adapters.waiting import until
from tests.monitoring import Gauges, Monitor, prometheus

pytestmark = pytest.mark.real
QUEUE = 'sum(app_queue{env="{colour}"})'


@pytest.fixture
async def shown(short_directory: Path) -> AsyncIterator[tuple[Monitor, Gauges]]:
    """A Prometheus, and what its one target shows."""
    gauges = Gauges()
    with gauges.shown() as target:
        async with prometheus(short_directory, target.url.removeprefix("http://")) as monitor:
            yield monitor, gauges


def source(monitor: Monitor, query: str, total: str | None = None, **pace: Any) -> Polled:
    given = {"interval": 0.1, "timeout": 4.5} | pace
    questions = PrometheusQuestions(monitor.url, query, Fetcher(given["timeout"]), total)
    return Polled("queue", questions, SystemClock(), Pace(**given))


async def test_each_colours_values_and_counters_are_heard(shown: tuple[Monitor, Gauges]) -> None:
    monitor, gauges = shown
    async with running(source(monitor, QUEUE), Heard()) as heard:

        def values() -> dict[Any, float]:
            return {batch.colour: batch.value for batch in heard.batches if isinstance(batch, Gauged)}

        await until(lambda: values() == {BLUE: 3.0, GREEN: 3.0})
        gauges.queue["green"] = 300.0
        await until(lambda: values() == {BLUE: 3.0, GREEN: 300.0})
    failed, done = 'sum(app_jobs_failed_total{env="{colour}"})', 'sum(app_jobs_total{env="{colour}"})'
    jobs = source(monitor, failed, done)
    async with running(jobs, Heard()) as counted:
        await until(lambda: jobs.position() is not None)
        gauges.jobs["green"] = (40, 7)
        await until(lambda: counted.n["queue", GREEN] == 40)
        assert counted.bad["queue", GREEN] == 7
        assert counted.n["queue", BLUE] == 0


async def test_prometheus_own_words_are_told(shown: tuple[Monitor, Gauges]) -> None:
    monitor, _ = shown
    for query, words in (
        ("sum(app_queue", r"Prometheus refuses the query: .*1:\d+: parse error: unclosed left parenthesis"),
        ("app_queue[5m]", "the query gives a matrix, and one number is needed"),
        ("app_nothing", "no data: the query gives nothing"),
        ("0/0 + 0 * vector(1)", "no data: the value is NaN"),
        ("1/0", r"no data: the value is \+Inf"),
    ):
        with pytest.raises(SignalFailed, match=words):
            await source(monitor, query).check()
    asked = source(monitor, "app_queue")
    async with running(source(monitor, QUEUE), Heard()) as heard:
        await until(lambda: heard.batches)  # both colours were scraped
    with pytest.raises(SignalFailed, match="the query gives 2 series"):
        await asked.check()
    await source(monitor, QUEUE).check()


async def test_a_prometheus_that_goes_and_comes_back_is_heard_again(shown: tuple[Monitor, Gauges]) -> None:
    monitor, _ = shown
    asked = source(monitor, QUEUE, errors=2)
    async with running(asked, Heard()) as heard:
        await until(lambda: heard.batches)
        await monitor.stop()
        await until(lambda: asked.problem)
        assert "cannot connect: Connection refused" in asked.problem
        before = len(heard.batches)
        await monitor.start()
        await until(lambda: not asked.problem)
        await until(lambda: len(heard.batches) > before)


async def test_a_prometheus_that_is_frozen_costs_its_budget_and_is_heard_again(shown: tuple[Monitor, Gauges]) -> None:
    monitor, _ = shown
    asked = source(monitor, QUEUE, errors=2, timeout=0.5)
    async with running(asked, Heard()) as heard:
        await until(lambda: heard.batches)
        with monitor.frozen():
            await until(lambda: asked.problem)
            assert "no answer within 0.5 s" in asked.problem
        before = len(heard.batches)
        await until(lambda: len(heard.batches) > before and not asked.problem)
