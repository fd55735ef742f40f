"""Numbers that are asked for: what is refused, in which words, and what is made of the rest."""

from pathlib import Path

import pytest

from bluegreen.adapters.signals.http_json import Document, JsonQuestions
from bluegreen.adapters.signals.polled import Polled
from bluegreen.adapters.signals.prometheus import PrometheusQuestions
from bluegreen.adapters.signals.sql import SqlQuestions
from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.rules import Direction, GaugeRule, SignalRule
from bluegreen.domain.traffic import Colour
from bluegreen.settings import load
from bluegreen.settings.model import Settings
from tests.settings.conftest import SMALLEST, Write
from tests.virtual_time import VirtualClock

NAMED = SMALLEST.replace("up =", 'application_name = "app-x*"\nup =')
DATABASE = '[[databases]]\nname = "app"\ndsn = "postgresql://u:s3cret@h/app"\n'
PROMETHEUS = '[[watch.prometheus]]\nname = "queue"\nurl = "http://127.0.0.1:9090"\nquery = "sum(q)"\n'
SQL = '[[watch.sql]]\nname = "load"\ndatabase = "app"\n'
HTTP = '[[watch.http_json]]\nname = "jobs"\nurl = "http://127.0.0.1:1/stats"\nvalue = "/jobs"\n'


def refused(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    problems: list[dict[str, str]] = caught.value.facts["problems"]  # type: ignore[assignment]
    (problem,) = problems
    return f"{problem['key']}: {problem['text']}"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            PROMETHEUS.replace('"queue"', '"5xx"'),
            'watch.prometheus.name: "5xx" is a name of ours; call it otherwise, for example "5xx-of-mine"',
        ),
        (PROMETHEUS + PROMETHEUS, 'watch.prometheus.name: "queue" is the name of more than one signal of [watch]'),
        (
            PROMETHEUS + HTTP.replace('"jobs"', '"queue"'),
            'watch.http_json.name: "queue" is the name of more than one signal of [watch]',
        ),
        (
            PROMETHEUS.replace("http://127.0.0.1:9090", "127.0.0.1:9090"),
            'watch.prometheus.url: is not a URL: write it with its scheme, for example "http://127.0.0.1:9090"',
        ),
        (
            PROMETHEUS.replace("http://127", "http://me:s3cret@127"),
            (
                "watch.prometheus.url: holds a credential, and it is shown in logs: write it without, and "
                'headers = { Authorization = { credential = "NAME" } }'
            ),
        ),
        (
            HTTP.replace("/stats", "/stats?api_token=s3cret"),
            (
                "watch.http_json.url: holds a credential, and it is shown in logs: write it without, and "
                'headers = { Authorization = { credential = "NAME" } }'
            ),
        ),
        (PROMETHEUS + 'qery = "x"', 'watch.prometheus.qery: unknown key "qery"; did you mean "query"?'),
        (
            PROMETHEUS + 'bad_when = "over"',
            'watch.prometheus.bad_when: "over" is not "above", "below" or "outside"; did you mean "above"?',
        ),
        (
            PROMETHEUS + 'bad_when = "below"\nhigh = 3.0',
            (
                "watch.prometheus: `bad_when` is what the live colour is asked about, and `high` is fixed: "
                "remove one of them"
            ),
        ),
        (
            PROMETHEUS + "low = 3.0\nhigh = 2",
            "watch.prometheus: low (3) is above high (2): every value would be bad",
        ),
        (
            PROMETHEUS + "high = inf",
            "watch.prometheus.high: inf is not a number, for example high = 200.0",
        ),
        (
            PROMETHEUS + 'total = "sum(all)"\nmargin = "5%"',
            ("watch.prometheus: `margin` is for a value, and with `total` bad events are counted: remove one of them"),
        ),
        (
            DATABASE + SQL + 'built_in = "active"',
            (
                "watch.sql.built_in: a colour's sessions are known by their name: write application_name in "
                "[environments.blue]"
            ),
        ),
        (
            DATABASE + SQL + 'query = "SELECT $1"',
            (
                "watch.sql.query: a colour's sessions are known by their name: write application_name in "
                "[environments.blue]"
            ),
        ),
        (
            DATABASE + SQL.replace('"app"', '"ap"') + 'query = "SELECT 1"',
            'watch.sql.database: there is no "ap" in [[databases]]; did you mean "app"?',
        ),
        (
            DATABASE + SQL,
            'watch.sql: needs either `built_in`, for example built_in = "active", or `query`',
        ),
        (
            HTTP + 'service = "web"',
            "watch.http_json: `service` and {address} in `url` belong together: write both, or none of them",
        ),
        (
            HTTP.replace("/stats", "/{color}"),
            'watch.http_json: "{color}" in `url` is not filled in: only {colour} and {address} are',
        ),
        (
            HTTP.replace("127.0.0.1:1", "{address}") + 'service = "wep"',
            'watch.http_json.service: there is no "wep" in [[services]]; did you mean "web"?',
        ),
        (
            HTTP.replace('"/jobs"', '"jobs"'),
            (
                'watch.http_json.value: "jobs" is neither a JSON pointer ("/jobs/failed") nor a JSONPath '
                '("$.jobs[0].failed")'
            ),
        ),
        (
            HTTP.replace('"/jobs"', '"$.jobs["'),
            'watch.http_json.value: "$.jobs[" is not a JSONPath: unexpected end of query',
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_to_write(write: Write, added: str, expected: str) -> None:
    assert refused(write(added)) == expected


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ("", GaugeRule(Direction.ABOVE, 0.2)),
        ('bad_when = "outside"\nmargin = "50%"', GaugeRule(Direction.OUTSIDE, 0.5)),
        ("high = 5.5", GaugeRule(Direction.ABOVE, 0.2, None, 5.5)),
        ("low = 1", GaugeRule(Direction.BELOW, 0.2, 1.0, None)),
        ("low = 1.0\nhigh = 2.0", GaugeRule(Direction.OUTSIDE, 0.2, 1.0, 2.0)),
        ('total = "sum(all)"', None),
    ],
)
def test_a_signal_says_when_a_value_is_bad(write: Write, keys: str, rule: GaugeRule | None) -> None:
    (asked,) = load(write(PROMETHEUS + keys)).watch.prometheus
    assert asked.rule == SignalRule("queue", weight=0.1, source="queue", gauge=rule)


def sources(settings: Settings) -> dict[str, Polled]:
    from bluegreen.wiring import _services
    from bluegreen.wiring_polled import polled_sources

    made = polled_sources(settings, _services(settings), VirtualClock())
    return {source.name: source for source in made if isinstance(source, Polled)}


def test_each_signal_becomes_a_source_that_asks_what_was_written(write: Write) -> None:
    more = 'errors = 5\ninterval = "1m"\ntimeout = "2s"\nheaders = { Authorization = "Bearer s3cret" }\n'
    path = write(
        PROMETHEUS
        + more
        + DATABASE
        + SQL
        + 'built_in = "active"\n'
        + HTTP.replace("127.0.0.1:1", "{address}")
        + 'service = "web"\ntotal = "$.all"\n'
        + HTTP.replace('"jobs"', '"states"').replace("/stats", "/{colour}"),
        base=NAMED,
    )
    made = sources(load(path))
    queue, active, jobs, states = (made[name].questions for name in ("queue", "load", "jobs", "states"))
    assert isinstance(queue, PrometheusQuestions)
    assert (queue.fetcher.headers, queue.fetcher.timeout) == ({"Authorization": "Bearer s3cret"}, 2.0)
    assert (made["queue"].pace.interval, made["queue"].pace.errors) == (60.0, 5)
    assert isinstance(active, SqlQuestions)
    assert (active.built_in, active.asked, active.applications[Colour.BLUE]) == (True, "active", "app-x*")
    assert isinstance(jobs, JsonQuestions)
    assert jobs.documents == (
        Document(Colour.BLUE, "http://127.0.0.1:8001/stats", "127.0.0.1:8001"),
        Document(Colour.GREEN, "http://127.0.0.1:9001/stats", "127.0.0.1:9001"),
    )
    assert isinstance(states, JsonQuestions)
    assert [document.url[-5:] for document in states.documents] == ["/blue", "green"]
    assert "s3cret" not in repr(made)
