"""What a stream of samples is about follows from who was served when, never from how well."""

import random
from collections.abc import Callable, Iterator

import pytest

from bluegreen.app.samples import Sample
from bluegreen.app.survey import Survey

SWITCH, END = 600.0, 1800.0
Share = Callable[[float], float]


def stream(share: Share, rate: float = 20.0, seed: int = 1, signal: str = "5xx") -> Iterator[Sample]:
    """`share` of the users meet green so many seconds after the switch."""
    rng, t = random.Random(seed), 0.0
    while (t := t + rng.expovariate(rate)) < END:
        new = t >= SWITCH and rng.random() < share(t - SWITCH)
        yield Sample(round(t, 3), "green" if new else "blue", signal)


def looked(share: Share, **rest: float) -> Survey:
    return Survey().look(stream(share, **rest))  # type: ignore[arg-type]


def test_the_first_colour_is_the_old_one_and_the_others_first_event_the_switch() -> None:
    survey = looked(lambda _: 1.0)
    assert (survey.old, survey.new) == ("blue", "green")
    assert survey.switched_at == pytest.approx(SWITCH, abs=0.5)
    assert survey.side_until is None
    assert survey.shares == []


@pytest.mark.parametrize("rate", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_where_the_old_colour_goes_on_both_serve_to_the_end(share: float, rate: float) -> None:
    survey = looked(lambda _: share, rate=rate)
    if survey.switched_at is None:  # one user in a thousand seconds may never come
        return
    assert survey.side_until is not None
    assert survey.side_until > END - 150 / rate - 150
    assert survey.shares[0][1] == pytest.approx(share, abs=0.2)


def test_steps_of_a_canary_are_told_and_so_is_its_end() -> None:
    survey = looked(lambda after: 0.05 if after < 200 else 0.4 if after < 600 else 1.0, rate=50.0)
    assert survey.side_until == pytest.approx(SWITCH + 600, abs=15)
    assert next(share for _, share in survey.shares) == pytest.approx(0.05, abs=0.05)
    assert any(share == pytest.approx(0.4, abs=0.05) for _, share in survey.shares)
    changed = next(at for at, share in survey.shares if share > 0.2)
    assert changed == pytest.approx(SWITCH + 200, abs=61)


def test_streams_of_the_old_colour_that_end_late_are_no_canary() -> None:
    late = [Sample(SWITCH + 30.0 * each, "blue", "5xx") for each in range(30)]
    survey = Survey().look(sorted([*stream(lambda _: 1.0), *late], key=lambda sample: sample.t))
    assert survey.side_until is None


def test_an_old_colour_that_comes_back_after_a_cutback_is_no_canary() -> None:
    survey = looked(lambda after: 1.0 if after < 25 else 0.01)
    assert survey.side_until is None


def test_probes_of_the_old_colour_are_no_users() -> None:
    probes = [Sample(float(t), "blue", "probe") for t in range(int(END))]
    survey = Survey().look(sorted([*stream(lambda _: 1.0), *probes], key=lambda sample: sample.t))
    assert survey.side_until is None


def test_what_is_said_goes_before_what_is_found_out() -> None:
    survey = Survey(new="green", switched_at=900.0).look(stream(lambda _: 1.0))
    assert (survey.old, survey.new, survey.switched_at) == ("blue", "green", 900.0)
    assert survey.side_until is None


def test_disorder_and_a_third_colour_are_told() -> None:
    survey = Survey().look([Sample(2.0, "blue", "5xx"), Sample(1.0, "green", "5xx"), Sample(3.0, "red", "5xx")])
    assert not survey.ordered
    assert survey.stranger == "red"
