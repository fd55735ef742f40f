"""The rule by which it is noticed that the balancer itself fell back to the old colour."""

import pytest

from bluegreen.domain.fallback import KEPT, SETTLED, FellBack
from bluegreen.domain.signals import Batch, Counted, Measured
from tests.domain.examples import BLUE, GREEN

NOW = 1_000_000.0
"""When the switch was proved."""


def fell_back() -> FellBack:
    found = FellBack()
    found.settle(NOW)
    return found


@pytest.mark.parametrize(
    ("begun", "sure"),
    [
        pytest.param((), False, id="nothing"),
        pytest.param((2.0, 3.0), False, id="two are not enough"),
        pytest.param((2.0, 3.0, 4.0), True, id="three close together"),
        pytest.param((2.0, 2.0, 2.0), True, id="three at one moment"),
        pytest.param((2.0, 9.0, 12.1), False, id="three in 10.1 s"),
        pytest.param((2.0, 9.0, 12.0), True, id="three in 10 s"),
        pytest.param((-5.0, -4.0, 0.5, 2.0, 3.0), False, id="those who asked before the switch settled do not count"),
        pytest.param((2.0, 50.0, 51.0, 52.0), True, id="three of several"),
        pytest.param((52.0, 2.0, 51.0, 50.0), True, id="in the order in which they ended"),
    ],
)
def test_answers_to_users_count_where_several_began_after_the_switch_within_seconds(
    begun: tuple[float, ...], sure: bool
) -> None:
    together, one_by_one = fell_back(), fell_back()
    assert together.answered(tuple(NOW + at for at in begun)) is sure
    for at in begun:
        one_by_one.answered((NOW + at,))
    assert (together.sure, one_by_one.sure) == (sure, sure)
    assert together.users == one_by_one.users == sum(at >= SETTLED for at in begun)


@pytest.mark.parametrize(("sent", "sure"), [((2.0,), False), ((2.0, 2.5), True), ((0.5, 2.0), False), ((2, 30), False)])
def test_two_probes_of_ours_are_enough(sent: tuple[float, ...], sure: bool) -> None:
    found = fell_back()
    for at in sent:
        found.probed(NOW + at)
    assert found.sure is sure


def test_before_the_switch_settled_nothing_counts() -> None:
    found = FellBack()
    found.answered((NOW, NOW, NOW))
    found.probed(NOW)
    found.probed(NOW)
    assert (found.sure, found.users, found.probes) == (False, 0, 0)


def test_it_is_said_once_and_stays() -> None:
    found = fell_back()
    three = (NOW + 2, NOW + 2, NOW + 2)
    assert [found.answered(three), found.answered(three)] == [True, False]
    assert (found.sure, found.users) == (True, 6)


def test_the_moment_is_not_moved_by_a_second_proof() -> None:
    found = fell_back()
    found.settle(NOW + 100)
    assert found.answered((NOW + 2, NOW + 2, NOW + 2))


@pytest.mark.parametrize(
    ("users", "probes", "words"),
    [
        (1, 0, "did not answer 1 request"),
        (12, 0, "did not answer 12 requests"),
        (0, 2, "did not answer 2 probes"),
        (3, 1, "did not answer 3 requests and 1 probe"),
    ],
)
def test_the_words_say_who_did_not_answer_what(users: int, probes: int, words: str) -> None:
    assert FellBack(NOW, users, probes).describe(BLUE, GREEN) == f"Caddy itself fell back to blue: green {words}"


@pytest.mark.parametrize(
    ("batch", "users", "probes"),
    [
        pytest.param(Counted("access_log", "5xx", BLUE, 2, 0, begun=(NOW + 2, NOW + 3)), 2, 0, id="answers to users"),
        pytest.param(Counted("access_log", "5xx", BLUE, 2, 0), 0, 0, id="of which nobody knows when they began"),
        pytest.param(Counted("access_log", "auth", BLUE, 2, 0), 0, 0, id="the same answers by another signal"),
        pytest.param(Counted("probes", "probe", BLUE, 1, 0, since=70.0), 0, 1, id="a probe"),
        pytest.param(Counted("probes", "probe", BLUE, 1, 0, since=50.0), 0, 0, id="a probe of before"),
        pytest.param(Measured("access_log", "slow", BLUE, "web", (0.1,)), 0, 0, id="how long they took"),
    ],
)
def test_only_what_counts_every_answer_once_is_taken_in(batch: Batch, users: int, probes: int) -> None:
    found = fell_back()
    found.take(batch, wall=NOW + 20, monotonic=80.0)
    assert (found.users, found.probes) == (users, probes)


def test_what_is_kept_goes_on_as_if_nothing_had_happened() -> None:
    found = fell_back()
    found.answered((NOW + 2, NOW + 3))
    found.probed(NOW + 2)
    again = FellBack.from_json(found.to_json())
    assert again == found
    assert again.answered((NOW + 4,))
    assert FellBack.from_json(again.to_json()).sure
    assert FellBack.from_json(None) == FellBack()


def test_memory_does_not_grow_with_the_answers() -> None:
    found = fell_back()
    for number in range(10 * KEPT):
        found.answered((NOW + 100 * number + 2, NOW + 100 * number + 2))
    assert len(found.to_json()["lately"][0]) == KEPT
    assert not found.sure
