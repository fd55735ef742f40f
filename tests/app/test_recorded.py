"""What counted in a trial is recorded, and judged again it comes out the same."""

import asyncio
from typing import IO

import pytest

from bluegreen.app.baseline import Baseline
from bluegreen.app.recorder import MOST, PIECE, Recorder
from bluegreen.app.recording import KIND
from bluegreen.app.replay import judge_samples
from bluegreen.app.replayed import Outcome
from bluegreen.app.samples import Sample
from bluegreen.app.survey import Survey
from bluegreen.app.trial import Trial
from bluegreen.app.watch import Watch
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import NotFound
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Terms
from bluegreen.domain.signals import Counted, Who
from bluegreen.interfaces.recordings import Recording, line_of
from tests.app.daemons import Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, plan, terms
from tests.virtual_time import VirtualClock

P = Phase


async def exported(daemon: Daemon, id: str = "current") -> bytes:
    return b"".join([line_of(sample) async for sample in await daemon.service.samples(id)])


def replayed(content: bytes, chosen: Terms | None = None) -> Outcome:
    """As the verb does it."""

    def fetch(file: IO[bytes]) -> None:
        file.write(content)

    with Recording("exported", fetch) as recording:
        survey = Survey().look(recording.checked())
        assert recording.faults.n == 0
        found, baseline = recording.settle(survey, chosen)
        return judge_samples(recording.samples(), survey, found, baseline)


async def cut_back(outside: Outside, share: float = 0.05) -> tuple[Deployment, bytes]:
    """A release that fails some users, and what was recorded of it."""
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: share}))
    outside.change(window=60.0)
    async with running(outside) as daemon:
        await asyncio.sleep(120)
        await daemon.deploy()
        ended = await daemon.end()
        return ended, await exported(daemon, ended.id)


@pytest.mark.parametrize("share", [1.0, 0.05])
async def test_a_deployment_that_was_cut_back_is_cut_again_at_the_same_moment_for_the_same_reason(
    outside: Outside, share: float
) -> None:
    ended, content = await cut_back(outside, share)
    again = replayed(content)
    assert ended.phase is P.REVERTED
    assert again.cut is not None
    assert again.cut.reason == ended.reason, "to the last digit of its odds"
    assert again.cut.after == pytest.approx(ended.facts["judgement"]["watched"], abs=0.2)
    assert again.until_cut is not None
    assert again.until_cut.bad == next(s["bad"] for s in ended.facts["judgement"]["signals"] if s["signal"] == "5xx")


async def test_what_is_cut_back_before_the_switch_is_proved_has_a_moment_too(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = outside.front_door.ask

    async def hanging(service: str) -> FrontDoorAnswer:
        answer = await ask(service)
        if answer.colour is GREEN:
            await asyncio.sleep(0.7)
            outside.users.failing[GREEN] = 0.5
            await asyncio.sleep(3.0)
        return answer

    monkeypatch.setattr(outside.front_door, "ask", hanging)
    async with running(outside) as daemon:
        await asyncio.sleep(120)
        await daemon.deploy()
        ended = await daemon.end()
        content = await exported(daemon, ended.id)
    told, again = ended.facts["judgement"], replayed(content)
    assert (told["phase"], told["verdict"]) == (P.SWITCHING, "regressed")
    assert again.cut is not None
    assert again.cut.reason == ended.reason
    assert 0.5 < again.cut.after == pytest.approx(told["watched"], abs=0.2)


async def test_under_a_laxer_configuration_it_is_not_cut(outside: Outside) -> None:
    _, content = await cut_back(outside)
    lax = terms(window=60.0, standby=20.0, min_bad=1_000)
    assert replayed(content, lax).cut is None


async def test_under_a_stricter_one_it_is_cut_earlier(outside: Outside) -> None:
    _, content = await cut_back(outside)
    usual, strict = replayed(content), replayed(content, terms(window=60.0, standby=20.0, alpha=0.05))
    assert strict.cut is not None
    assert usual.cut is not None
    assert strict.cut.t < usual.cut.t


async def test_a_good_release_stays_when_it_is_judged_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        ended = await daemon.end()
        again = replayed(await exported(daemon))
    judged = {line["signal"]: (line["n"], line["bad"]) for line in ended.facts["judgement"]["signals"]}
    assert again.cut is None
    assert {e.signal: (e.n, e.bad) for e in again.last.signals} == judged


async def test_after_a_restart_in_the_middle_nothing_is_recorded_twice(outside: Outside) -> None:
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 0.001}))
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(P.STANDING_BY)
        await asyncio.sleep(1.7)
    async with running(outside) as daemon:
        ended = await daemon.end()
        again = replayed(await exported(daemon))
    judged = {line["signal"]: (line["n"], line["bad"]) for line in ended.facts["judgement"]["signals"]}
    assert {e.signal: (e.n, e.bad) for e in again.last.signals} == judged


async def test_a_journal_that_refused_for_a_while_has_it_all_in_the_end(outside: Outside) -> None:
    def refuse() -> None:
        outside.journal.full = True
        asyncio.get_running_loop().call_later(8.0, setattr, outside.journal, "full", False)

    async with running(outside) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(1)
        refuse()
        ended = await daemon.end()
        again = replayed(await exported(daemon))
    judged = {line["signal"]: (line["n"], line["bad"]) for line in ended.facts["judgement"]["signals"]}
    assert {e.signal: (e.n, e.bad) for e in again.last.signals} == judged


async def test_where_nothing_was_recorded_it_is_said(outside: Outside) -> None:
    outside.smoke.failures[GREEN] = "login: HTTP 500"
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        with pytest.raises(NotFound, match=r"there are no samples of .*: samples of the last 20 deployments are kept"):
            await daemon.service.samples("current")


async def test_only_the_latest_deployments_keep_their_samples(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluegreen.app.recording.DEPLOYMENTS", 1)
    async with running(outside) as daemon:
        first = await daemon.deploy()
        await daemon.end()
        await daemon.deploy("1.2.0")
        await daemon.end()
        assert await outside.journal.chunks(KIND, first.id) == ()
        assert await exported(daemon)


# --- the recorder alone


WHO = Who((4, 3, 0, 0, 0, 0, 0, 0), (8, 9))


def recorder(baseline: Baseline | None = None) -> tuple[Recorder, Trial]:
    baseline = baseline or Baseline()
    trial = Trial.of(terms(), baseline)
    return Recorder.of(GREEN, 1000.0, baseline, trial), trial


def rows(recorder: Recorder) -> list[Sample]:
    recorder.cut()
    return [row for _, chunk in sorted(recorder.pending.items()) for row in chunk if row.about is None]


def test_good_ones_of_one_step_are_added_up_and_bad_ones_keep_their_moment_and_their_clients() -> None:
    recording, trial = recorder()
    for _ in range(3):
        recording.take(Counted("access_log", "5xx", GREEN, 7, 0, who=Who(WHO.asked, ())), trial, new=True)
    recording.take(Counted("access_log", "5xx", GREEN, 7, 2, who=WHO), trial, new=True)
    trial.tick(0.25)
    recording.take(Counted("access_log", "5xx", GREEN, 1, 0), trial, new=True)
    good, bad, later = rows(recording)
    assert (good.t, good.n, good.bad, good.asked) == (1000.0, 21, 0, (12, 9, 0, 0, 0, 0, 0, 0))
    assert (bad.t, bad.n, bad.bad, bad.asked, bad.failed) == (1000.0, 7, 2, WHO.asked, WHO.failed)
    assert (later.t, later.n, later.asked) == (1000.2, 1, None)


def test_what_was_judged_apart_is_told_apart() -> None:
    recording, trial = recorder()
    for _ in range(3):
        recording.take(Counted("access_log", "5xx", GREEN, 1, 1), trial, new=True)
        recording.drained()
    assert [row.t for row in rows(recording)] == [1000.0, 1000.001, 1000.002]


def test_the_memory_of_a_trial_is_bounded_and_says_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.app.recorder.MOST", 10)
    recording, trial = recorder()
    for _ in range(50):
        recording.take(Counted("access_log", "5xx", GREEN, 1, 1), trial, new=True)
    recording.cut()
    chunk = recording.pending[max(recording.pending)]
    assert len(chunk) == 11
    assert chunk[-1].about is not None
    assert "samples came" in chunk[-1].about["cut_off"]
    assert MOST == 400_000


def test_the_clients_of_an_outage_that_lasts_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.app.recorder.MOST", 100)
    recording, trial = recorder()
    who = Who((0, 20, 0, 0, 0, 0, 0, 0), (1,) * 20)
    for _ in range(50):
        recording.take(Counted("access_log", "5xx", GREEN, 20, 20, who=who), trial, new=True)
    assert sum(len(row.failed or ()) for row in rows(recording)) == 100


def test_a_long_history_goes_in_pieces() -> None:
    baseline = Baseline()
    for block in range(8640):
        baseline.learn(Counted("access_log", "5xx", BLUE, 10, 0), 1e9 + 10 * block)
    recording, _ = recorder(baseline)
    assert len(recording.pending) == 1 + 5
    assert max(len(str(chunk)) for chunk in recording.pending.values()) < 50 * PIECE


def test_without_a_release_on_trial_nothing_is_recorded() -> None:
    recording, trial = Recorder(), Trial.of(terms(), Baseline())
    recording.take(Counted("access_log", "5xx", GREEN, 1, 1), trial, new=True)
    recording.mark(trial, all_moved=True)
    recording.cut()
    assert recording.pending == {}
    assert Recorder.from_json(recording.to_json()).pending == {}


def test_after_a_restart_what_was_written_beyond_the_kept_trial_is_written_anew() -> None:
    first, trial = recorder()
    first.cut()
    kept = first.to_json()
    for life in (first, again := Recorder.from_json(kept)):
        life.take(Counted("access_log", "5xx", GREEN, 5, 1), trial, new=True)
        life.cut()
    number = kept["number"]
    assert number in first.pending, "it was written down, and then the daemon was killed"
    assert [row.n for row in again.pending[number]] == [5]
    assert again.pending[number + 1] == again.pending[number + 2] == []


async def test_what_was_read_after_a_judgement_is_told_apart_from_what_was_read_before() -> None:
    watch = Watch(VirtualClock(), ())
    watch.moved(BLUE)
    for _ in range(3):
        watch.report(Counted("access_log", "5xx", BLUE, 1000, 1))
    watch.open(GREEN, plan(terms=terms()))
    watch.moved(GREEN)
    for _ in range(2):
        watch.report(Counted("access_log", "5xx", GREEN, 9, 9))
        watch.report(Counted("access_log", "auth", GREEN, 9, 1))
        await asyncio.sleep(0)
    moments = [row.t for row in rows(watch.samples)]
    assert moments[0] == moments[1] < moments[2] == moments[3]
