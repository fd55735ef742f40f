"""What operators read: the first line answers, the last says what to type, and nothing steers their terminal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import click
import pytest

from bluegreen.app.requests import Drift, Status
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind
from bluegreen.domain.records import Event
from bluegreen.domain.traffic import Colour, Traffic
from bluegreen.interfaces import render, reports, story
from tests.interfaces.scripts import (
    ABORTED,
    BEGAN,
    DONE,
    NO_WAY_BACK,
    NOT_READY,
    WORSE,
    a_deployment,
    a_plan,
    a_status,
    a_watch,
    at,
    entered,
    then,
    traffic,
    until,
)

STRANDED = then(at(Phase.WATCHING), WORSE, NO_WAY_BACK)
LATER = BEGAN + timedelta(minutes=5)


def plain(lines: list[str]) -> list[str]:
    return [click.unstyle(line) for line in lines]


@pytest.mark.parametrize(
    ("status", "first"),
    [
        pytest.param(a_status(), "● blue serves 1.0.0 (accounts, shop); nothing is moving", id="idle"),
        pytest.param(
            a_status(at(Phase.LIVE), traffic=traffic(Colour.GREEN), releases={Colour.GREEN: "1.1.0"}),
            "● green serves 1.1.0 (accounts, shop); nothing is moving",
            id="ended",
        ),
        pytest.param(
            a_status(at(Phase.WATCHING), phase_seconds_left=1440.0),
            "● blue serves 1.0.0 (accounts, shop); deployment d-1 WATCHING green 1.1.0, 24m left",
            id="watching",
        ),
        pytest.param(
            a_status(STRANDED),
            "✖ blue serves 1.0.0 (accounts, shop); deployment d-1 is STRANDED: it needs you",
            id="stranded",
        ),
        pytest.param(
            a_status(replace(STRANDED, settled=True)),
            "● blue serves 1.0.0 (accounts, shop); nothing is moving",
            id="settled",
        ),
        pytest.param(
            a_status(traffic=None, traffic_error="connection refused"),
            "✖ nobody knows where the traffic is: connection refused; nothing is moving",
            id="unknown",
        ),
        pytest.param(
            a_status(traffic=traffic(None)),
            "✖ traffic is on neither colour alone: accounts on blue, shop on green; nothing is moving",
            id="mixed",
        ),
        pytest.param(
            a_status(releases={}),
            "● blue serves an unknown release (accounts, shop); nothing is moving",
            id="unknown-release",
        ),
    ],
)
def test_the_first_line_says_where_the_traffic_is_and_whether_anything_moves(status: Status, first: str) -> None:
    assert plain(render.status_lines(status))[0] == first
    assert click.unstyle(render.headline(status)) == first


@pytest.mark.parametrize(
    ("status", "commands"),
    [
        pytest.param(a_status(), [], id="idle"),
        pytest.param(a_status(a_deployment()), ["bluegreen watch d-1", "bluegreen abort d-1"], id="preparing"),
        pytest.param(a_status(at(Phase.AWAITING)), ["bluegreen promote d-1", "bluegreen abort d-1"], id="awaiting"),
        pytest.param(a_status(at(Phase.WATCHING)), ["bluegreen watch d-1", "bluegreen cutback"], id="watching"),
        pytest.param(a_status(at(Phase.RETIRING, stopped=True)), ["bluegreen watch d-1"], id="stopping"),
        pytest.param(a_status(then(at(Phase.WATCHING), WORSE)), ["bluegreen watch d-1"], id="reverting"),
        pytest.param(a_status(STRANDED), ["bluegreen cutback --force"], id="stranded"),
        pytest.param(
            a_status(traffic=None), ["systemctl status caddy", "journalctl -u bluegreen -p warning"], id="unknown"
        ),
        pytest.param(a_status(troubles=("x",)), ["journalctl -u bluegreen -p warning"], id="trouble"),
    ],
)
def test_status_ends_with_what_to_type(status: Status, commands: list[str]) -> None:
    lines = plain(render.status_lines(status))
    said = [line.split(":", 1)[1].strip() for line in lines if line.strip().startswith(("next:", "or:"))]
    assert said == commands


def test_status_shows_the_verdict_and_what_is_wrong() -> None:
    watch = a_watch(way_back="lost", held="there is no way back")
    status = a_status(at(Phase.WATCHING), watch=watch, troubles=("caddy-unreachable: refused",))
    told = "\n".join(plain(render.status_lines(status)))
    for words in (
        "undecided: 5xx needs 1,900 more",
        "5xx 0 of 120 (0 %) against tolerated 0.3 %",
        "✖ way back  lost",
        "! held      there is no way back",
        "! trouble   caddy-unreachable: refused",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("open_requests", "line"),
    [
        pytest.param({}, "", id="nobody can tell"),
        pytest.param({Colour.BLUE: 0}, "streams     no requests still open on blue", id="none"),
        pytest.param({Colour.BLUE: 1}, "streams     1 request still open on blue", id="one"),
        pytest.param({Colour.BLUE: 3}, "streams     3 requests still open on blue", id="several"),
    ],
)
def test_status_shows_what_is_still_open_on_the_old_colour(open_requests: dict[Colour, int], line: str) -> None:
    status = a_status(at(Phase.WATCHING), open_requests=open_requests)
    told = "\n".join(plain(render.status_lines(status)))
    assert line in told
    assert ("still open" in told) == bool(line)


def test_a_colour_that_is_the_fallback_is_named_in_the_first_line() -> None:
    serves = traffic(Colour.GREEN)
    behind = Traffic(tuple(replace(service, fallback=True) for service in serves.services))
    status = a_status(at(Phase.WATCHING), traffic=behind, releases={Colour.GREEN: "1.1.0"})
    first = plain(render.status_lines(status))[0]
    assert first.startswith("● green serves 1.1.0 (accounts, shop), blue is its fallback; deployment d-1 WATCHING")


def test_traffic_that_others_moved_stands_first_with_the_difference_and_what_to_type() -> None:
    difference = ("shop, at /config/x", "- shop dials 127.0.0.1:8002 (green)", "+ shop dials 127.0.0.1:7002 (blue)")
    commands = ("systemctl reload caddy", "bluegreen resolve current --reason '...'")
    drift = Drift(Colour.GREEN, "shop -> 127.0.0.1:7002", BEGAN, difference, commands, "it is left to you")
    lines = plain(render.status_lines(a_status(drift=drift)))
    assert lines[0] == "! blue serves 1.0.0 (accounts, shop); it was moved outside bluegreen: green is wanted"
    assert lines[1].startswith("  ! drift     since ")
    assert [line.strip() for line in lines[2:5]] == list(difference)
    assert [line.strip() for line in lines[-2:]] == [f"next: {commands[0]}", f"or: {commands[1]}"]
    assert render.moving(a_status(drift=drift)) != render.moving(a_status())


def test_of_a_route_that_is_gone_what_caddy_says_is_shown() -> None:
    drift = Drift(Colour.BLUE, "no route serves shop", BEGAN, (), ("systemctl reload caddy",))
    assert "no route serves shop" in "\n".join(plain(render.status_lines(a_status(traffic=None, drift=drift))))


def test_only_verbose_status_shows_dials_and_paths() -> None:
    assert "127.0.0.1:7001" not in "\n".join(render.status_lines(a_status()))
    told = "\n".join(plain(render.status_lines(a_status(), verbose=True)))
    assert "127.0.0.1:7001" in told
    assert "up for 2d" in told


def test_seconds_that_pass_are_no_news_but_a_phase_is() -> None:
    watching = a_status(at(Phase.WATCHING), phase_seconds_left=9.0)
    assert render.moving(watching) == render.moving(replace(watching, phase_seconds_left=8.0))
    assert render.moving(watching) != render.moving(a_status(at(Phase.STANDING_BY)))


@pytest.mark.parametrize(
    ("deployment", "first"),
    [
        (at(Phase.LIVE), "✔ LIVE: 1.1.0 is live on green (2m 20s)"),
        (then(at(Phase.RETIRING), NOT_READY), "! LIVE: 1.1.0 is live on green (2m 10s)"),
        (
            then(at(Phase.STARTING), NOT_READY, DONE),
            "■ ABANDONED: 1.1.0 was not deployed; users never left blue (1.0.0) (1m 10s)",
        ),
        (
            then(at(Phase.WATCHING), WORSE, DONE),
            "✖ REVERTED: 1.1.0 was taken back; users are on blue (1.0.0) again (2m)",
        ),
        (
            then(at(Phase.SWITCHING), NOT_READY, DONE),
            "✖ REVERTED: 1.1.0 was not deployed; users never left blue (1.0.0) (1m 50s)",
        ),
        (
            STRANDED,
            "✖ STRANDED: 1.1.0 needs you: where users are, or how they fare, is not certain (2m)",
        ),
    ],
)
def test_the_outcome_says_where_users_are(deployment: Deployment, first: str) -> None:
    lines = plain(reports.outcome_lines(deployment))
    assert lines[0] == first
    if deployment.phase is not Phase.LIVE or deployment.reason:
        assert lines[-1].split()[0] in ("next:", "or:")
        assert deployment.reason in "\n".join(lines)


def test_going_back_is_a_success_for_who_asked_for_it() -> None:
    assert plain(reports.outcome_lines(then(at(Phase.WATCHING), ABORTED, DONE), asked=True))[0].startswith("✔ REVERTED")
    assert plain(reports.outcome_lines(STRANDED, asked=True))[0].startswith("✖ STRANDED")


def test_a_release_that_serves_says_until_when_the_way_back_is_instant() -> None:
    lines = plain(reports.serving_lines(at(Phase.STANDING_BY), 3600.0, BEGAN))
    end = f"{(BEGAN + timedelta(hours=1)).astimezone():%H:%M}"
    assert lines[0] == "✔ 1.1.0 serves all users on green"
    assert f"until {end} (1h)" in lines[1]
    assert lines[-1] == "  next: bluegreen cutback"
    assert "rollback" in plain(reports.serving_lines(at(Phase.RETIRING), None, BEGAN))[-1]


def test_a_plan_says_what_is_done_and_what_is_not() -> None:
    lines = plain(render.plan_lines(a_plan(warnings=("pg_dump is old",)), BEGAN))
    assert lines[0] == "deploy of 1.1.0 to green; blue serves 1.0.0 now  p-1"
    assert "  ▶ BACKING_UP   what BACKING_UP does" in lines
    assert "  · REHEARSING   what REHEARSING does" in lines
    assert "  ! warning   pg_dump is old" in lines


def test_a_rollback_is_called_one() -> None:
    assert plain(render.plan_lines(a_plan(kind=Kind.ROLLBACK), BEGAN))[0].startswith("rollback of 1.1.0 to green")


def test_the_history_has_a_line_for_each_and_says_so_where_there_is_none() -> None:
    past = [at(Phase.LIVE), then(at(Phase.WATCHING), WORSE, DONE)]
    lines = plain(reports.history_lines(past, LATER))
    assert lines[0].split() == ["ID", "RELEASE", "TO", "PHASE", "STARTED", "TOOK", "WHY"]
    assert lines[1].split()[:5] == ["✔", "d-1", "1.1.0", "green", "LIVE"]
    assert "regressed: 5xx 38 of 1,204" in lines[2]
    assert plain(reports.history_lines([], LATER))[-1] == "  next: bluegreen plan RELEASE"


def story_of(states: list[Deployment]) -> list[Event]:
    return [replace(entered(state), seq=number) for number, state in enumerate(states, 1)]


def test_phases_are_shown_with_their_time_and_what_came_of_them() -> None:
    states = until(Phase.WATCHING)
    lines = plain(story.phase_lines(states[-1], story_of(states), LATER, ahead=True))
    assert lines[0] == "  ✔ PREPARING        10s  it is so"
    assert lines[2] == "  · REHEARSING            it is so"
    assert lines[10].startswith("  ▶ WATCHING      3m 20s  what WATCHING does")
    told = plain(story.phase_lines(states[-1], story_of(states), LATER, ahead=True, seconds_left=95.0))
    assert told[10].endswith("1m 35s left: what WATCHING does")
    assert [line.split()[1] for line in lines[11:]] == ["STANDING_BY", "RETIRING", "CONTRACTING"]


def test_phases_are_shown_also_where_the_journal_lost_their_events() -> None:
    lines = plain(story.phase_lines(at(Phase.LIVE), [], LATER, ahead=False))
    assert [line.split()[1] for line in lines] == [str(phase) for phase in at(Phase.LIVE).path[:-1]]


def test_a_phase_that_failed_is_marked_and_nothing_lies_ahead() -> None:
    reverting = then(at(Phase.WATCHING), WORSE)
    failed = Event(
        "phase.entered", LATER, "d-1", "REVERTING", {"previous": "WATCHING", "seconds": 3, "outcome": "failed"}
    )
    lines = plain(story.phase_lines(reverting, [*story_of(until(Phase.WATCHING)), failed], LATER, ahead=True))
    assert lines[-2].startswith("  ✖ WATCHING")
    assert lines[-1].startswith("  ▶ REVERTING")


def test_news_tell_what_came_of_a_phase_and_what_begins() -> None:
    switching = at(Phase.SWITCHING)
    lines = plain(story.news_lines(entered(at(Phase.BACKING_UP)), switching, verbose=False))
    assert [line[9:] for line in lines] == ["✔ PREPARING (10s): it is so", "▶ BACKING_UP: what BACKING_UP does"]
    lines = plain(story.news_lines(entered(at(Phase.EXPANDING)), switching, verbose=False))
    assert lines[0][9:] == "· REHEARSING: it is so"


def test_news_at_the_gate_say_what_to_type() -> None:
    lines = plain(story.news_lines(entered(at(Phase.AWAITING)), at(Phase.AWAITING), verbose=False))
    assert lines[-1].endswith("waiting for you: bluegreen promote d-1")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event("traffic.switched", BEGAN, "d-1", "SWITCHING", {"to": "green"}), "✔ traffic: all users are on green"),
        (Event("traffic.returned", BEGAN, "d-1", "REVERTING", {"to": "blue"}), "all users are back on blue"),
        (Event("deployment.warned", BEGAN, "d-1", "", {"warning": "short", "severity": "warning"}), "! short"),
        (Event("human.paged", BEGAN, "d-1", "", {"text": "no way back", "severity": "critical"}), "! no way back"),
        (Event("deployment.resumed", BEGAN, "d-1", "", {"reason": "go on"}), "restarted and goes on: go on"),
    ],
)
def test_news_that_matter_are_told_in_words(event: Event, words: str) -> None:
    (line,) = plain(story.news_lines(event, at(Phase.WATCHING), verbose=False))
    assert words in line


def test_details_are_told_to_who_asks_for_them() -> None:
    event = Event("command.finished", BEGAN, "d-1", "STARTING", {"command": "up green", "output": "a\nb", "code": 0})
    assert story.news_lines(event, at(Phase.STARTING), verbose=False) == []
    lines = plain(story.news_lines(event, at(Phase.STARTING), verbose=True))
    assert lines == [f"{BEGAN.astimezone():%H:%M:%S} STARTING     command.finished up green code=0", "    a", "    b"]


TRICK = "1.0\x1b]0;owned\x07\x1b[2J\r\n● green serves 6.6.6\u202e"

TRICKED = replace(
    then(at(Phase.WATCHING), WORSE, DONE),
    id=TRICK,
    plan=a_plan(release=replace(a_plan().release, version=TRICK), live_release=TRICK, warnings=(TRICK,), reason=TRICK),
    reason=TRICK,
    next=(TRICK,),
    warnings=(TRICK,),
)
EVENT = Event(TRICK, BEGAN, TRICK, TRICK, {TRICK: TRICK, "answer": TRICK, "previous": TRICK, "output": TRICK})


@pytest.mark.parametrize(
    "rendered",
    [
        pytest.param(
            lambda: render.status_lines(a_status(TRICKED, traffic_error=TRICK, troubles=(TRICK,))), id="status"
        ),
        pytest.param(lambda: render.status_lines(a_status(releases={Colour.BLUE: TRICK}), verbose=True), id="releases"),
        pytest.param(lambda: [render.headline(a_status(releases={Colour.BLUE: TRICK}))], id="headline"),
        pytest.param(lambda: render.watch_lines(a_watch(reason=TRICK, held=TRICK, way_back=TRICK)), id="watch"),
        pytest.param(lambda: render.verdict_news(a_watch(reason=TRICK, held=TRICK), 1.0, BEGAN), id="verdict"),
        pytest.param(lambda: render.plan_lines(TRICKED.plan, BEGAN), id="plan"),
        pytest.param(lambda: [render.plan_question(TRICKED.plan)], id="question"),
        pytest.param(lambda: reports.outcome_lines(TRICKED), id="outcome"),
        pytest.param(lambda: reports.serving_lines(TRICKED, 1.0, BEGAN), id="serving"),
        pytest.param(lambda: reports.started_lines(TRICKED), id="started"),
        pytest.param(lambda: reports.promoted_lines(TRICKED), id="promoted"),
        pytest.param(lambda: reports.resolved_lines(TRICKED), id="resolved"),
        pytest.param(lambda: reports.history_lines([TRICKED], LATER), id="history"),
        pytest.param(lambda: reports.deployment_lines(TRICKED, []), id="show"),
        pytest.param(lambda: [reports.title(TRICKED, LATER)], id="title"),
        pytest.param(lambda: reports.warnings([TRICK]), id="warnings"),
        pytest.param(lambda: story.phase_lines(TRICKED, [EVENT], LATER, ahead=True), id="phases"),
        pytest.param(lambda: story.log_lines(EVENT), id="log"),
        pytest.param(lambda: story.news_lines(EVENT, TRICKED, verbose=True), id="news"),
        pytest.param(
            lambda: story.news_lines(replace(EVENT, name="phase.entered"), TRICKED, verbose=True), id="phase-news"
        ),
        pytest.param(
            lambda: story.news_lines(replace(EVENT, name="deployment.started"), TRICKED, verbose=True), id="start-news"
        ),
        pytest.param(
            lambda: story.news_lines(
                replace(EVENT, name="traffic.switched", facts={"to": TRICK}), TRICKED, verbose=True
            ),
            id="switch-news",
        ),
        pytest.param(
            lambda: story.news_lines(
                replace(EVENT, facts={"severity": "warning", "text": TRICK}), TRICKED, verbose=True
            ),
            id="warning-news",
        ),
    ],
)
def test_tricks_in_names_and_reasons_do_not_reach_the_terminal(rendered: Callable[[], list[str]]) -> None:
    for line in plain(rendered()):
        assert all(character.isprintable() for character in line), repr(line)
        assert not line.startswith("● green serves 6.6.6")


def test_nothing_is_said_by_colour_alone() -> None:
    for lines in (render.status_lines(a_status(at(Phase.WATCHING), watch=a_watch())), reports.outcome_lines(STRANDED)):
        for line in lines:
            assert click.unstyle(line).strip(" ●✔✖■▶…·!")
