"""[watch.signals] and [[watch.limits]]: what an operator writes, and what the verdict is made of."""

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.rules import SIGNALS, Direction, LimitRule
from bluegreen.settings import Settings, load
from bluegreen.wiring_signals import terms
from tests.settings.conftest import Write


@pytest.fixture(autouse=True)
def a_log(nobodys_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An access log is read: without one its signals are none."""
    monkeypatch.setenv("BLUEGREEN_CADDY__ACCESS_LOG", "/var/log/caddy/access.log")


QUIET = "[watch]\nin_flight = false\n"
"""Without the signals that are there by default for each service."""

QUEUE = """
[[watch.prometheus]]
name = "queue"
url = "http://127.0.0.1:9090"
query = "queue_length"
"""


def settings(write: Write, text: str) -> Settings:
    return load(write(QUIET + text))


def limits(write: Write, text: str, more: str = "") -> tuple[LimitRule, ...]:
    return terms(settings(write, f"{more}[[watch.limits]]\n{text}")).limits


def refused(write: Write, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings(write, text)
    problems: list[dict[str, object]] = caught.value.facts["problems"]  # type: ignore[assignment]
    return "; ".join(f"{problem['key']}: {problem['text']}" for problem in problems)


def test_without_a_word_the_signals_are_those_of_the_domain(write: Write) -> None:
    assert terms(settings(write, "")).signals == SIGNALS
    assert terms(settings(write, "")).limits == ()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param(
            'name = "errors"\nsignal = "5xx"\nabove = "2%"',
            LimitRule("errors", "5xx", 0.02, window_s=30.0, min_samples=50),
            id="a share",
        ),
        pytest.param(
            'name = "errors"\nsignal = "5xx"\nabove = "2%"\nwindow = "1m"\nmin_samples = 20\n'
            "in_a_row = 2\ndry_run = true",
            LimitRule("errors", "5xx", 0.02, window_s=60.0, min_samples=20, in_a_row=2, dry_run=True),
            id="all of it",
        ),
        pytest.param(
            'name = "q"\nsignal = "queue"\nabove = 200\nin_a_row = 3',
            LimitRule("q", "queue", 200.0, window_s=30.0, in_a_row=3),
            id="a gauge",
        ),
        pytest.param(
            'name = "q"\nsignal = "queue"\nbelow = 0.5',
            LimitRule("q", "queue", 0.5, direction=Direction.BELOW, window_s=30.0),
            id="a gauge that must not fall short",
        ),
        pytest.param(
            'name = "p"\nsignal = "probe"\nin_a_row = 5\neach_service = true',
            LimitRule("p", "probe", 0.0, window_s=0.0, in_a_row=5, each_key=True),
            id="events one by one",
        ),
    ],
)
def test_what_is_written_is_what_holds(write: Write, text: str, rule: LimitRule) -> None:
    assert limits(write, text, QUEUE) == (rule,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('signal = "5x"\nabove = "2%"', 'there is no "5x" in the signals; did you mean "5xx"?'),
        ('signal = "nothing-like-it"\nabove = "2%"', "there is: 5xx, auth, slow, probe, queue"),
        ('signal = "5xx"\nabove = 200', '5xx counts bad events of all: write a percentage, for example above = "2%"'),
        ('signal = "queue"\nabove = "2%"', "queue is measured as a number: write one, for example above = 200"),
        ('signal = "queue"\nin_a_row = 3', "queue is measured as a number"),
        ('signal = "5xx"\nabove = "2%"\nbelow = "1%"', "`above` and `below` are two rules"),
        ('signal = "5xx"\nabove = "2"', '"2" is not a share: write a percentage'),
        ('signal = "5xx"\nabove = true', "must be a percentage"),
        ('signal = "5xx"\nwindow = "10s"', "`window` needs `above` or `below`"),
        ('signal = "5xx"', "needs `above` or `below`"),
        ('signal = "5xx"\nmin_samples = 50', "or `in_a_row`, so many bad events after one another"),
        ('signal = "5xx"\nbelow = "2%"', 'each good release would be cut back; write above = "2%"'),
        ('signal = "5xx"\nabove = "2%"\nwindow = "200ms"', "shorter than a second"),
        ('signal = "5xx"\nabove = "2%"\nin_a_row = 0', "in_a_row"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(write: Write, text: str, says: str) -> None:
    assert says in refused(write, f'{QUEUE}[[watch.limits]]\nname = "x"\n{text}')


def test_two_limits_need_two_names(write: Write) -> None:
    one = '[[watch.limits]]\nname = "x"\nsignal = "5xx"\nabove = "2%"\n'
    assert '"x" is the name of more than one of the [[watch.limits]]' in refused(write, one + one)


def test_weights_are_shared_by_what_decides_and_apart_by_what_is_in_dry_run(write: Write) -> None:
    rules = terms(settings(write, f"{QUEUE}weight = 0.5\n[watch.signals]\nslow = {{ dry_run = true }}\n")).signals
    weights = {rule.name: rule.weight for rule in rules}
    assert weights == pytest.approx(
        {"5xx": 0.4 / 1.3, "auth": 0.2 / 1.3, "slow": 1.0, "probe": 0.2 / 1.3, "queue": 0.5 / 1.3}
    )
    assert [rule.name for rule in rules if rule.critical] == ["5xx", "probe"]


def test_a_part_of_a_signal_may_be_written_alone(write: Write) -> None:
    rules = terms(settings(write, "[watch.signals]\n5xx.weight = 0.8\nauth.critical = true\n")).signals
    assert {rule.name: (round(rule.weight, 3), rule.critical) for rule in rules} == {
        "5xx": (0.571, True),
        "auth": (0.143, True),
        "slow": (0.143, False),
        "probe": (0.143, True),
    }


def test_classes_of_routes_share_the_weight_of_auth(write: Write) -> None:
    login, other = '[[watch.routes]]\nname = "login"\npaths = ["/login"]\n', '[[watch.routes]]\nname = "x"\n'
    text = f'{login}{other}paths = ["/x"]\nignore = true'
    rules = {rule.name: rule for rule in terms(settings(write, text)).signals}
    assert rules["auth:login"].weight == pytest.approx(rules["auth"].weight) == pytest.approx(0.1)
    assert "auth:x" not in rules


def test_something_critical_must_decide(write: Write) -> None:
    text = "[watch.signals]\n5xx.dry_run = true\nprobe.critical = false\n"
    assert "no signal is critical and decides" in refused(write, text)


def test_they_are_part_of_what_a_plan_promises(write: Write) -> None:
    promised = terms(settings(write, '[[watch.limits]]\nname = "errors"\nsignal = "5xx"\nabove = "2%"'))
    assert [rule.name for rule in promised.signals] == ["5xx", "auth", "slow", "probe"]
    assert [limit.name for limit in promised.limits] == ["errors"]
