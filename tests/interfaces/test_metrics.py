"""What `GET /metrics` shows: every number with its words, and nothing that grows with what happens."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from bluegreen.app.chronicle import Sums
from bluegreen.app.gauges import Gauges
from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.budget import Connections
from bluegreen.domain.evidence import judge
from bluegreen.domain.records import Event
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.listening import serve_metrics
from bluegreen.interfaces.metrics import CONTENT_TYPE, Exposition, Metrics, make_metrics
from tests.interfaces.conftest import serving, session
from tests.interfaces.scripts import ScriptedService

NOW = datetime(2026, 11, 20, 20, 4, 11, tzinfo=UTC)
IDLE = Gauges(
    started_at=NOW,
    live=Colour.BLUE,
    caddy_answers=True,
    wanted=Colour.BLUE,
    drift=False,
    paused=False,
    ready=True,
    journal_read=True,
    journal_writable=True,
    stranded=False,
    phase="",
    elapsed=0.0,
    held=False,
    judgement=None,
    counted={("5xx", Colour.BLUE): (100, 2)},
    sources={"access_log": (0.5, True), "probes": (None, False)},
    undelivered={"team-chat": 3},
    undeliverable={"team-chat": 1},
)


def watching() -> Gauges:
    """A release on trial, with evidence."""
    account = Account.open(
        WatchRules(), {rule.name: WatchRules().tolerance(n=1000, bad=1) for rule in WatchRules().signals}
    )
    account.observe("5xx", n=200, bad=20, t_s=1.0)
    return replace(IDLE, phase="WATCHING", elapsed=12.5, live=Colour.GREEN, judgement=judge(account))


def exposition(metrics: Metrics, now: Gauges, sums: Sums | None = None) -> Exposition:
    async def measure() -> Gauges:
        return now

    return metrics.exposition(measure, lambda: sums or Sums())


async def shown(now: Gauges, sums: Sums | None = None) -> dict[str, Metric]:
    text = (await exposition(Metrics(), now, sums)()).decode()
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families), "each family stands there once"
    return {family.name: family for family in families}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def ended(outcome: str, cause: str | None = None, kind: str = "deploy") -> Event:
    facts = {"previous": "REVERTING", "outcome": "done", "seconds": 0.25, "kind": kind, "cause": cause}
    return Event("deployment.ended", NOW, "d-1", outcome, facts)


async def test_what_happened_is_counted_and_spread_over_buckets() -> None:
    sums = Sums()
    for event in (ended("LIVE"), ended("REVERTED", "regressed"), ended("REVERTED", "regressed")):
        sums.take(event)
    sums.take(Event("traffic.switched", NOW, "d-1", "SWITCHING", {"failed": 3, "requests": 40}))
    sums.take(Event("traffic.returned", NOW, "d-1", "REVERTING", {"seconds": 0.012, "detect_seconds": 0.3}))
    families = await shown(IDLE, sums)
    assert values(families["bluegreen_deployments"]) == {  # by cause, kind, outcome
        ("", "deploy", "LIVE"): 1.0,
        ("regressed", "deploy", "REVERTED"): 2.0,
    }
    cutback = {s.labels.get("le", s.name): s.value for s in families["bluegreen_cutback_seconds"].samples}
    assert (cutback["0.01"], cutback["0.025"], cutback["+Inf"]) == (0.0, 1.0, 1.0)
    assert cutback["bluegreen_cutback_seconds_sum"] == pytest.approx(0.012)
    assert cutback["bluegreen_cutback_seconds_count"] == 1.0
    failed = {s.labels.get("le", ""): s.value for s in families["bluegreen_switch_failed_requests"].samples}
    assert (failed["2.0"], failed["5.0"]) == (0.0, 1.0)
    phases = families["bluegreen_phase_duration_seconds"].samples
    assert {(s.labels["phase"], s.labels["outcome"]) for s in phases} == {("REVERTING", "done")}


async def test_where_traffic_is_and_should_be_is_one_sample_for_each_colour() -> None:
    families = await shown(replace(IDLE, live=None, wanted=Colour.GREEN, drift=True))
    assert values(families["bluegreen_live"]) == {("blue",): 0.0, ("green",): 0.0}
    assert values(families["bluegreen_wanted"]) == {("blue",): 0.0, ("green",): 1.0}
    assert values(families["bluegreen_drift"]) == {(): 1.0}


async def test_what_is_still_open_on_the_old_colour_is_shown_while_somebody_can_tell() -> None:
    families = await shown(replace(IDLE, open_requests={Colour.BLUE: 3}))
    assert values(families["bluegreen_open_requests"]) == {("blue",): 3}
    assert values((await shown(IDLE))["bluegreen_open_requests"]) == {}


async def test_connections_are_shown_by_colour_and_nothing_where_they_are_unknown() -> None:
    counted = {"main": Connections(100, 3, 2, {Colour.BLUE: 7, Colour.GREEN: 5}), "other": None}
    families = await shown(replace(IDLE, connections=counted))
    assert values(families["bluegreen_database_connections"]) == {
        ("blue", "main"): 7.0,
        ("green", "main"): 5.0,
        ("others", "main"): 2.0,
    }
    assert values(families["bluegreen_database_connections_free"]) == {("main",): 83.0}


async def test_a_release_on_trial_shows_its_evidence_and_nothing_of_it_stays_when_it_is_over() -> None:
    families = await shown(watching())
    assert values(families["bluegreen_deployment_phase"]) == {("WATCHING",): 1.0}
    assert values(families["bluegreen_watch_verdict"])["regressed",] == 1.0
    odds = values(families["bluegreen_watch_odds"])
    assert set(odds) == {("5xx",), ("auth",), ("slow",), ("probe",)}
    assert sum(odds.values()) > values(families["bluegreen_watch_odds_needed"])[()]
    assert values(families["bluegreen_watch_events"])["5xx",] == 200.0
    assert values(families["bluegreen_watch_bad_events"])["5xx",] == 20.0
    over = await shown(IDLE)
    for name in ("deployment_phase", "watch_verdict", "watch_odds", "watch_odds_needed", "watch_events"):
        assert over[f"bluegreen_{name}"].samples == [], name


async def test_a_source_that_was_never_heard_has_no_age_and_is_not_up() -> None:
    families = await shown(IDLE)
    assert values(families["bluegreen_signal_source_age_seconds"]) == {("access_log",): 0.5}
    assert values(families["bluegreen_signal_source_up"]) == {("access_log",): 1.0, ("probes",): 0.0}


async def test_every_family_has_words_our_prefix_and_labels_of_closed_sets() -> None:
    families = await shown(watching(), Sums())
    for name, family in families.items():
        assert family.documentation.endswith("."), name
        assert name.startswith(("bluegreen_", "process_")), name
    labels = {label for family in families.values() for sample in family.samples for label in sample.labels}
    assert labels <= {"version", "python", "kind", "outcome", "cause", "phase", "colour", "signal", "source",
                      "receiver", "verdict", "operation", "le"}  # fmt: skip


async def test_exchanges_are_timed_by_part_and_operation_and_nothing_is_global() -> None:
    before = {metric.name for metric in REGISTRY.collect()}
    metrics = Metrics()
    metrics.timed("journal")("write", 0.0004)
    metrics.timed("caddy")("read", 0.02)
    text = (await exposition(metrics, IDLE)()).decode()
    assert 'bluegreen_journal_seconds_bucket{le="0.0005",operation="write"} 1.0' in text
    assert "_created" not in text
    assert 'bluegreen_caddy_request_seconds_count{operation="read"} 1.0' in text
    assert {metric.name for metric in REGISTRY.collect()} == before
    assert "bluegreen" not in str(before)


async def test_two_daemons_in_one_process_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.timed("journal")("write", 0.1)
    assert b'journal_seconds_count{operation="write"}' not in await exposition(other, IDLE)()


async def test_many_who_ask_at_once_cost_one_measurement() -> None:
    asked = 0

    async def measure() -> Gauges:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return IDLE

    answer = Metrics().exposition(measure, Sums)
    texts = await asyncio.gather(*(answer() for _ in range(100)))
    assert len(set(texts)) == 1
    assert asked < 100, "a busy machine may take longer than one answer is fresh"


async def get(address: str, path: str, method: str = "GET") -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as client, client.request(method, f"http://{address}{path}") as answer:
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


async def test_the_loopback_listener_shows_numbers_and_life_and_takes_nothing() -> None:
    async with serve_metrics(make_metrics(exposition(Metrics(), IDLE)), "127.0.0.1:0") as (host, port):
        address = f"{host}:{port}"
        status, kind, text = await get(address, "/metrics")
        assert (status, kind) == (200, CONTENT_TYPE)
        assert "bluegreen_build_info{" in text
        assert (await get(address, "/healthz"))[0] == 200
        for method, path, refusal in (
            ("POST", "/metrics", 405),
            ("POST", "/v1/cutback", 404),
            ("GET", "/v1/status", 404),
            ("GET", "/readyz", 404),
        ):
            status, kind, text = await get(address, path, method)
            assert (status, kind) == (refusal, "application/problem+json"), (method, path, text)


async def test_anybody_on_the_socket_may_ask(
    service: ScriptedService, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(service, socket_path), session(socket_path) as client, client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == CONTENT_TYPE


@pytest.mark.parametrize(
    "event",
    [
        Event("traffic.switched", NOW, "d-1", "SWITCHING", {"to": "green"}),
        Event("traffic.returned", NOW, "d-1", "REVERTING", {"seconds": "0.1", "detect_seconds": None}),
        Event("phase.entered", NOW, "d-1", "BACKING_UP", {}),
        Event("anything.else", NOW, "d-1", "BACKING_UP", {"seconds": 1}),
    ],
    ids=lambda event: event.name,
)
async def test_what_an_event_does_not_say_is_not_counted(event: Event) -> None:
    sums = Sums()
    sums.take(event)
    families = await shown(IDLE, sums)
    for name in ("switch_failed_requests", "cutback_seconds", "detection_seconds"):
        assert all(sample.value == 0 for sample in families[f"bluegreen_{name}"].samples), name
    assert families["bluegreen_phase_duration_seconds"].samples == []


def test_the_document_names_every_metric(shown_names: Callable[[], set[str]]) -> None:
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    missing = {name for name in shown_names() if name.startswith("bluegreen_") and f"`{name}" not in document}
    assert missing == set()


@pytest.fixture
async def shown_names() -> Callable[[], set[str]]:
    """The names as they are scraped: counters with their `_total`."""
    metrics = Metrics()
    metrics.timed("journal")("write", 0.1)
    metrics.timed("caddy")("read", 0.1)
    text = (await exposition(metrics, watching())()).decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    return lambda: names
