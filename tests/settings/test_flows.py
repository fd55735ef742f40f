"""[[watch.flows]], requests in flight, versions: what they mean, what is refused with what to write, what is hidden."""

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.front_doors.http import HttpFrontDoor
from bluegreen.adapters.signals.flows import Flows
from bluegreen.adapters.signals.in_flight import InFlightSource
from bluegreen.domain.answers import Place
from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import Settings, load, revealed
from bluegreen.settings.judged import limit_rules, signal_rules
from bluegreen.wiring_front_door import versions
from bluegreen.wiring_signals import sources
from tests.settings.conftest import Write

FLOW = """
[[watch.flows]]
name = "login"
service = "web"
every = "1m"
weight = 0.5
critical = true
values = { user = "probe@example.org", password = "correct-horse" }

[[watch.flows.steps]]
path = "/login"
capture = { csrf = "header:X-CSRF", action = "json:/ui/action" }

[[watch.flows.steps]]
method = "POST"
path = "{action}"
form = { user = "{user}", password = "{password}", csrf = "{csrf}" }
expect = { status = 303, header = { location = "/" } }
"""
LOGGED = '\n[caddy]\naccess_log = "access.log"\n'


def test_a_flow_is_wired_as_it_is_written(write: Write) -> None:
    settings = load(write(FLOW))
    found = [source for source in made(settings) if isinstance(source, Flows)]
    (repeated,) = found[0]._flows.values()
    flow = repeated.flow
    assert (flow.name, flow.timeout, repeated.every) == ("login", 10.0, 60.0)
    assert flow.values == {"user": "probe@example.org", "password": "correct-horse"}
    first, second = flow.steps
    assert first.capture == {"csrf": Place("header", "X-CSRF"), "action": Place("json", "/ui/action")}
    assert (second.title, second.service) == ("POST {action}", "web")
    assert second.expect.status == (303,)
    assert second.expect.header == {"location": "/"}


def test_it_counts_by_its_weight_and_as_nobodys_request(write: Write) -> None:
    settings = load(write(FLOW))
    (rule,) = [each for each in signal_rules(settings.watch, settings.services) if each.name.startswith("flow:")]
    assert (rule.name, rule.source, rule.critical, rule.synthetic) == ("flow:login", "flows", True, True)
    assert rule.weight == pytest.approx(0.5 / 1.6)


def test_its_values_are_secrets_and_names_in_braces_are_none(write: Write) -> None:
    settings = load(write(FLOW))
    assert "correct-horse" in revealed(settings)
    assert "{password}" not in revealed(settings)
    assert "correct-horse" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('path = "/login"', 'path = "login"', '"login" is not a path: it begins with "/"'),
        ('path = "{action}"', 'path = "/{acton}"', "{acton} in `path` is not known there; did you mean {action}?"),
        ('path = "{action}"', 'path = "/x/{nothing}"', "capture it in a step before, or give it in `values`"),
        ("{csrf}", "{crsf}", "step 2: {crsf} in `form` is not known there; did you mean {csrf}?"),
        ('"header:X-CSRF"', '"X-CSRF"', "is no place in an answer"),
        ("csrf = \"header", 'Csrf = "header', "is not a name of a value: write it as in {csrf_token}"),
        ("form =", 'body = "x"\nform =', "sends one of `form`, `json` and `body`, not form and body"),
        ('every = "1m"', 'every = "5s"', "`every` must not be shorter than `timeout`"),
        ('service = "web"', 'service = "wbe"', 'there is no "wbe" in [[services]]; did you mean "web"?'),
        ('method = "POST"', 'service = "zzz"', 'there is no "zzz" in [[services]]; there is: web'),
        ("weight = 0.5", "weight = 0", "0"),
    ],
)  # fmt: skip
def test_what_cannot_be_walked_is_refused_with_what_to_write(write: Write, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(write(FLOW.replace(old, new, 1)))
    assert said in str(refused.value)
    assert "correct-horse" not in str(refused.value)


def test_two_flows_have_two_names(write: Write) -> None:
    with pytest.raises(ConfigurationError, match=r'"login" is the name of more than one of the \[\[watch.flows\]\]'):
        load(write(FLOW * 2))


def test_requests_in_flight_are_a_signal_of_each_service_with_a_limit_where_that_was_never_seen(write: Write) -> None:
    settings = load(write('[[services]]\nname = "api"\nblue = ["127.0.0.1:1"]\ngreen = ["127.0.0.1:2"]\n' + LOGGED))
    stuck = [rule for rule in signal_rules(settings.watch, settings.services) if rule.source == "in_flight"]
    assert [rule.name for rule in stuck] == ["stuck:web", "stuck:api"]
    assert sum(rule.weight for rule in stuck) == pytest.approx(0.1 / 1.1)
    limits = limit_rules(settings.watch, settings.services)
    assert [(limit.signal, limit.in_a_row, limit.unless_usual) for limit in limits] == [
        ("stuck:web", 4, True),
        ("stuck:api", 4, True),
    ]
    assert any(isinstance(source, InFlightSource) for source in made(settings))


@pytest.mark.parametrize("added", ["[watch]\nin_flight = false\n" + LOGGED, ""], ids=["off", "without an access log"])
def test_they_are_not_asked_for_where_that_is_off_or_nobody_would_count_answers(write: Write, added: str) -> None:
    settings = load(write(added))
    assert not any(isinstance(source, InFlightSource) for source in made(settings))
    if "false" in added:
        assert not [rule for rule in signal_rules(settings.watch, settings.services) if rule.source == "in_flight"]
        assert limit_rules(settings.watch, settings.services) == ()


def test_where_answers_say_what_they_are_is_read_from_the_service(write: Write) -> None:
    assert versions(load(write())) == {}
    with_version = load(write('version = "header:X-Version"\n'))
    assert versions(with_version) == {"web": Place("header", "X-Version")}


def made(settings: Settings) -> tuple[object, ...]:
    door = HttpFrontDoor("http://127.0.0.1:9", [], timeout=1.0)
    return sources(settings, {}, door, SystemClock())
