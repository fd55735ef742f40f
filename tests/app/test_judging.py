"""How a release is judged beside the account: fixed limits, gauges, dry runs, deaf sources, versions."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Terms
from bluegreen.domain.rules import SIGNALS, Direction, GaugeRule, LimitRule, SignalRule
from bluegreen.domain.signals import Batch, Counted, Gauged, Part, Who
from bluegreen.domain.traffic import Colour
from tests.app.daemons import Daemon, outcomes, pages, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, terms

LIVE, REVERTED, WATCHING, STANDING_BY = Phase.LIVE, Phase.REVERTED, Phase.WATCHING, Phase.STANDING_BY

QUEUE = SignalRule("queue", weight=0.2, source="extra", gauge=GaugeRule(Direction.ABOVE, margin=0.2), label="the queue")
ERRORS = LimitRule("errors", "5xx", 0.02, window_s=10.0, min_samples=50)


def also(*rules: SignalRule) -> tuple[SignalRule, ...]:
    """The four signals and these."""
    return (*SIGNALS, *rules)


async def report(outside: Outside, batches: Sequence[Batch], every: float = 0.5) -> None:
    """Have batches come, one after the other."""
    for batch in batches:
        outside.log.emit(batch)
        await asyncio.sleep(every)


def queue(value: float, colour: Colour | None = None) -> Gauged:
    return Gauged("extra", "queue", colour, value)


async def watched(daemon: Daemon, learn: float = 60.0, **wishes: Any) -> None:
    """A release is watched, after a history of `learn` seconds."""
    await asyncio.sleep(learn)
    await daemon.deploy(**wishes)
    await daemon.reach(WATCHING)


# --- fixed limits


async def test_a_fixed_limit_cuts_back_by_itself_and_says_value_limit_and_samples(outside: Outside) -> None:
    """3 % is little against a live colour with 2.5 %; the operator said 2.9 %."""
    outside.change(limits=(LimitRule("errors", "5xx", 0.029, window_s=10.0, min_samples=100),), window=600.0)
    outside.users.failing = {BLUE: 0.025, GREEN: 0.03}
    async with running(outside) as daemon:
        await watched(daemon, learn=600.0)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert ended.reason.startswith("errors: 5xx 3 % in 10 s, limit 2.9 %, ")
    assert ended.reason.endswith(" samples")


async def test_a_limit_in_dry_run_is_shown_and_cuts_nothing(outside: Outside) -> None:
    limit = LimitRule("errors", "5xx", 0.029, window_s=10.0, min_samples=100, dry_run=True)
    outside.change(limits=(limit,), window=60.0)
    outside.users.failing = {BLUE: 0.025, GREEN: 0.03}
    async with running(outside) as daemon:
        await watched(daemon, learn=600.0)
        await asyncio.sleep(30)
        shown = next(line for line in (await daemon.service.explain("current")).limits if line.name == "errors")
        assert (shown.broken, shown.dry_run, shown.signal) == (True, True, "5xx")
        assert shown.text.startswith("errors (dry run): 5xx 3")
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_what_is_read_late_is_in_no_window_of_a_limit(outside: Outside) -> None:
    """Guards: after a stop of ours the log of a minute came at once, and looked like one bad second."""
    outside.change(limits=(ERRORS,), window=600.0)
    outside.users.rate = 0.0
    async with running(outside) as daemon:
        await watched(daemon)
        outside.users.unread = True
        daemon.watch.attention.begin()  # as after an interruption: what comes now was written in it
        outside.users.rate = 100.0
        daemon.watch.report(Counted("access_log", "5xx", GREEN, 100, 5))
        assert not [line for line in (await daemon.service.explain("current")).limits if line.name == "errors"]
        outside.users.unread = False
        daemon.watch.report(Counted("access_log", "5xx", GREEN, 100, 5))
        await asyncio.sleep(1)
        ended = await daemon.end()
    assert ended.cause is Cause.REGRESSED
    assert "errors: 5xx" in ended.reason


async def test_a_limit_that_is_usual_to_break_does_not_hold(outside: Outside) -> None:
    stuck = SignalRule("stuck", 0.1, synthetic=True, source="extra")
    limit = LimitRule("stuck in a row", "stuck", 0.0, window_s=0.0, in_a_row=5, unless_usual=True)
    outside.change(signals=also(stuck), limits=(limit,), window=60.0)
    async with running(outside) as daemon:
        await report(outside, [Counted("extra", "stuck", BLUE, 1, int(second % 3 > 0)) for second in range(120)], 0.5)
        await daemon.deploy()
        await daemon.reach(WATCHING)
        await report(outside, [Counted("extra", "stuck", GREEN, 1, 1)] * 6)
        assert [line.name for line in (await daemon.service.explain("current")).limits if "stuck" in line.name] == []


# --- gauges


@pytest.mark.parametrize(("values", "phase"), [([119.0] * 30, LIVE), ([121.0] * 30, REVERTED)])
async def test_a_gauge_is_held_against_what_the_live_colour_showed(
    outside: Outside, values: list[float], phase: Phase
) -> None:
    outside.change(signals=also(QUEUE), window=60.0)
    async with running(outside) as daemon:
        await report(outside, [queue(float(50 + number % 51)) for number in range(300)], 1.0)
        await daemon.deploy()
        await daemon.reach(WATCHING)
        await report(outside, [queue(value) for value in values])
        ended = await daemon.end()
    assert ended.phase is phase
    if phase is REVERTED:
        assert ended.reason.startswith("the queue ")
        assert ended.reason.endswith(", last 121, allowed is up to 120 (seen 50 to 100)")


async def test_a_gauge_without_a_history_is_undecided_and_never_bad(outside: Outside) -> None:
    outside.change(signals=also(QUEUE), window=60.0)
    async with running(outside) as daemon:
        await watched(daemon)
        await report(outside, [queue(1e9)] * 20)
        line = next(line for line in (await daemon.service.explain("current")).signals if line.signal == "queue")
        assert (line.n, line.bad, line.state) == (0, 0, "undecided")
        assert (await daemon.end()).phase is LIVE


async def test_a_gauge_with_a_fixed_end_needs_no_history_and_a_limit_takes_samples_as_they_come(
    outside: Outside,
) -> None:
    fixed = SignalRule("queue", weight=0.2, source="extra", gauge=GaugeRule(high=200.0))
    outside.change(signals=also(fixed), limits=(LimitRule("long queue", "queue", 300.0, in_a_row=2),), window=600.0)
    async with running(outside) as daemon:
        await watched(daemon)
        await report(outside, [queue(150.0), queue(250.0), queue(301.0, BLUE), queue(301.0, GREEN)])
        line = next(line for line in (await daemon.service.explain("current")).signals if line.signal == "queue")
        assert (line.n, line.bad) == (3, 2)
        await report(outside, [queue(302.0)])
        ended = await daemon.end()
    assert ended.reason == "long queue: 302, 2 of 2 in a row, limit 300, 4 samples"


# --- dry run


async def test_a_signal_in_dry_run_decides_nothing_and_is_explained(outside: Outside) -> None:
    outside.change(signals=also(SignalRule("jobs", 1.0, source="extra", dry_run=True)))
    async with running(outside) as daemon:
        await report(outside, [Counted("extra", "jobs", BLUE, 100, 0)] * 20)
        await watched(daemon)
        await report(outside, [Counted("extra", "jobs", GREEN, 100, 90)] * 5)
        found = await daemon.service.explain("current")
        ended = await daemon.end()
    assert [line.signal for line in found.dry] == ["jobs"]
    assert (found.dry[0].state, found.dry[0].dry_run, found.dry[0].bad) == ("bad", True, 450)
    assert "jobs" not in [line.signal for line in found.signals]
    assert found.verdict != "regressed"
    assert ended.phase is LIVE


async def test_a_limit_on_a_signal_in_dry_run_decides_nothing_either(outside: Outside) -> None:
    """Also the one that is always there, on probes in a row."""
    outside.change(signals=tuple(replace(rule, dry_run=rule.name == "probe") for rule in SIGNALS))
    async with running(outside) as daemon:
        await watched(daemon)
        await report(outside, [Counted("probes", "probe", GREEN, 1, 1, key="web")] * 5, 0.01)
        (limit,) = [line for line in (await daemon.service.explain("current")).limits if "of web" in line.name]
        assert (limit.broken, limit.dry_run) == (True, True)
        assert (await daemon.end()).phase is LIVE


# --- sources that cannot be heard


async def test_a_critical_source_that_cannot_be_heard_refuses_before_anything_is_done(outside: Outside) -> None:
    outside.change(signals=also(SignalRule("jobs", 0.2, critical=True, source="extra")))
    outside.log.trouble = "extra: connection refused"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.ABANDONED
    assert "users could not be watched, extra cannot be heard: extra: connection refused" in ended.reason
    assert outside.database.shelf == []


async def test_another_one_is_a_warning(outside: Outside) -> None:
    outside.change(signals=also(SignalRule("jobs", 0.2, source="extra")))
    outside.log.trouble = "extra: connection refused"
    async with running(outside) as daemon:
        await watched(daemon)
        found = await daemon.service.explain("current")
        ended = await daemon.end()
    assert ended.phase is LIVE
    assert "a source of signals cannot be heard: extra: connection refused" in ended.warnings
    assert "a signal was not judged: extra: connection refused" in ended.warnings
    jobs = next(line for line in found.signals if line.signal == "jobs")
    assert (jobs.state, jobs.trouble) == ("error", "extra: connection refused")
    assert (found.silent, found.troubles) == ((), ("extra: connection refused",))
    assert pages(outside) == []


async def test_a_source_that_crashes_when_it_is_tried_is_one_that_cannot_be_heard(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outside.log, "check", crash)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE
    assert "a source of signals cannot be heard: extra crashed: ZeroDivisionError()" in ended.warnings


async def test_a_source_that_does_not_answer_is_not_waited_for(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(outside.users, "check", hang, raising=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert "access_log gave no answer within 10 s" in ended.reason


async def test_a_log_that_is_read_too_late_blinds(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        outside.users.behind = 14.0
        await asyncio.sleep(22)
        status = await daemon.service.status()
        assert status.watch is not None
        assert (status.watch.verdict, status.watch.reason) == ("blind", "access_log is 14 s behind")
        outside.users.behind = 0.0
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_each_critical_signal_with_a_short_history_is_named(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(2)
        await daemon.deploy()
        ended = await daemon.end()
    (short,) = [warning for warning in ended.warnings if "history is short" in warning]
    assert "for an effect of 1.0% (5xx " in short
    assert "probe " in short


# --- users and probes


async def test_probes_stand_in_where_few_users_come_and_it_is_said(outside: Outside) -> None:
    outside.change(window=900.0)
    async with running(outside) as daemon:
        await asyncio.sleep(3600)
        outside.users.rate = 0.5
        await watched(daemon)
        await daemon.reach(STANDING_BY)
        ended = await daemon.current()
    verdict = str(ended.facts["verdict"])
    assert verdict.startswith("healthy: ")
    assert "good probes stand in for users that did not come" in verdict


# --- which release answers


async def test_a_colour_that_answers_as_another_release_is_cut_back_and_it_is_said(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        stale = Counted("probes", "probe", GREEN, 1, 0, key="web", version="1.0.0")
        await report(outside, [stale, Counted("probes", "probe", GREEN, 1, 0, key="other", version="1.1.0"), stale])
        assert (await daemon.current()).phase is WATCHING
        for _ in range(3):
            outside.log.emit(stale)
        ended = await daemon.end()
    assert ended.cause is Cause.REGRESSED
    assert "web answers as 1.0.0, not 1.1.0" in ended.reason


# --- where it came from, and who


def failing(clients: Sequence[int], n: int = 80, line: str = "") -> Counted:
    """Bad answers to these clients, all at one route."""
    bad, who = len(clients), Who((n // 8,) * 8, tuple(clients))
    parts = (Part("web", "POST /login", bad, bad, line), Part("web", "GET /", n - bad, 0))
    return Counted("access_log", "5xx", GREEN, n, bad, who=who, parts=parts)


async def test_the_reason_names_the_route_and_the_first_bad_line(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        outside.log.emit(failing(range(40), line="12:00:00 POST /login 500 in 3 ms"))
        ended = await daemon.end()
        found = await daemon.service.explain(ended.id)
    assert "POST /login of web" in ended.reason
    assert "first: 12:00:00 POST /login 500 in 3 ms" in ended.reason
    line = next(line for line in found.signals if line.signal == "5xx")
    assert (line.routes[0].route, line.routes[0].bad) == ("POST /login", 40)
    assert line.where in ended.reason
    assert (line.usual, line.history > 0, line.decides in ("rel", "plus", "bound")) == (0.0, True, True)
    (notice,) = outcomes(outside)
    assert "POST /login" in notice.text


async def test_one_client_alone_is_held_back_and_explain_says_so(outside: Outside) -> None:
    outside.change(window=600.0)
    everybody = tuple(range(8))
    async with running(outside) as daemon:
        outside.users.rate = 0.0
        seen = Counted("access_log", "5xx", BLUE, 80, 0, who=Who((10,) * 8, ()))
        await report(outside, [seen] * 300, 1.0)
        await daemon.deploy()
        await daemon.reach(WATCHING)
        await report(outside, [failing((5,), n=8)] * 12, 11.0)
        found = await daemon.service.explain("current")
        line = next(line for line in found.signals if line.signal == "5xx")
        assert line.bad == 12
        assert found.odds >= found.odds_needed
        assert (found.verdict, "held back: one client" in found.reason) == ("undecided", True)
        assert [key.name for key in line.keys if not key.turns] == ["one client"]
        assert (await daemon.current()).phase is WATCHING
        await report(outside, [failing(everybody, n=8)])
        ended = await daemon.end()
    assert ended.cause is Cause.REGRESSED


# --- restart


async def test_all_of_it_goes_on_after_a_restart(outside: Outside) -> None:
    limit = LimitRule("long queue", "queue", 300.0, in_a_row=3)
    jobs = SignalRule("jobs", 1.0, source="extra", dry_run=True)
    outside.change(signals=also(QUEUE, jobs), limits=(ERRORS, limit), window=600.0)
    async with running(outside) as daemon:
        await report(outside, [queue(float(number)) for number in range(30)])
        await watched(daemon)
        await report(outside, [queue(301.0), queue(302.0), Counted("extra", "jobs", GREEN, 10, 1)])
        outside.log.emit(failing((1,), line="the first one"))
        outside.log.emit(Counted("probes", "probe", GREEN, 1, 0, key="web", version="0.9"))
        await asyncio.sleep(10)
        before = await daemon.service.explain("current")
    async with running(outside) as daemon:
        after = await daemon.service.explain("current")
        assert [(line.signal, line.n, line.bad) for line in after.dry] == [("jobs", 10, 1)]
        assert {(line.name, line.run) for line in after.limits} == {(line.name, line.run) for line in before.limits}
        lines = {(line.signal, line.bad, line.where, line.decides) for line in after.signals}
        assert lines == {(line.signal, line.bad, line.where, line.decides) for line in before.signals}
        await report(outside, [queue(303.0)])
        ended = await daemon.end()
    assert "long queue: 303, 3 of 3 in a row" in ended.reason


def test_terms_with_all_of_it_come_back_from_the_journal_as_they_were() -> None:
    rules = also(QUEUE, SignalRule("fixed", 0.1, source="x", gauge=GaugeRule(low=1.0), dry_run=True))
    promised = terms(signals=rules, limits=(ERRORS, LimitRule("q", "queue", 1.0, direction=Direction.BELOW)))
    kept = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(promised)))
    assert msgspec.convert(kept, Terms) == promised
