"""While both colours serve: is it the new one, or what both depend on?"""

import random

import pytest

from bluegreen.domain.account import Account
from bluegreen.domain.control import Control
from bluegreen.domain.stakes import Key
from bluegreen.domain.watch_rules import GRID, WatchRules

RULES = WatchRules()
LONG = dict.fromkeys([rule.name for rule in RULES.signals], RULES.tolerance(n=1_000_000, bad=1_000))


def both(new: float, old: float, share: float, seed: int, told: float | None = None, seconds: int = 600) -> Account:
    """50 requests a second, of which the new colour gets `share`; bad rates of both; judged every second."""
    rng, account = random.Random(seed), Account.open(RULES, LONG)
    account.side_by_side(share if told is None else told)
    for second in range(1, seconds + 1):
        mine = sum(rng.random() < share for _ in range(50))
        bad, others = (sum(rng.random() < rate for _ in range(n)) for n, rate in ((mine, new), (50 - mine, old)))
        account.observe("5xx", n=mine, bad=bad, t_s=float(second))
        account.observe_other("5xx", n=50 - mine, bad=others, t_s=float(second))
        if account.convicting():
            break
    return account


@pytest.mark.parametrize("told", [None, 0.5])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_what_fails_on_both_colours_is_not_blamed_on_the_new_one(share: float, rate: float, told: float | None) -> None:
    for seed in range(3):
        account = both(rate, rate, share, seed, told, seconds=120)
        assert account.sure
        assert account.rows["5xx"].held_back(RULES) == (Key.SHARED_CAUSE,)


@pytest.mark.parametrize(
    ("rate", "share", "at_most"),
    [
        pytest.param(1.0, 0.1, 12, id="outage for 10 %"),
        pytest.param(0.2, 0.1, 12, id="20 % for 10 %"),
        pytest.param(0.05, 0.1, 20, id="5 % for 10 %"),
        pytest.param(1.0, 0.5, 30, id="outage for half of the users"),
    ],
)
def test_what_fails_on_the_new_colour_alone_is_cut(rate: float, share: float, at_most: int) -> None:
    for seed in range(10):
        account = both(rate, 0.001, share, seed)
        assert account.convicting() is not None
        assert account.rows["5xx"].bad <= at_most


def test_an_outage_of_the_new_colour_needs_four_failures_at_ten_per_cent() -> None:
    account = Account.open(RULES, LONG)
    account.side_by_side(0.1)
    for request in range(1, 51):
        account.observe("5xx", n=1, bad=0, t_s=request / 10)
        account.observe_other("5xx", n=9, bad=0, t_s=request / 10)
    for bad in range(1, 5):
        account.observe("5xx", n=1, bad=1, t_s=5.0 + bad / 10)
        if account.convicting():
            break
    assert bad <= 4


def test_a_change_of_the_share_that_was_told_is_no_evidence() -> None:
    """Three times the users bring three times the bad ones."""
    rng, account = random.Random(2), Account.open(RULES, LONG)
    t_s = 0.0
    for share in (0.05, 0.25, 0.6):
        account.side_by_side(share)
        for _ in range(300):
            t_s += 1.0
            mine = sum(rng.random() < share for _ in range(50))
            for observe, n in ((account.observe, mine), (account.observe_other, 50 - mine)):
                observe("5xx", n=n, bad=sum(rng.random() < 0.03 for _ in range(n)), t_s=t_s)
            odds = account.rows["5xx"].not_shared
            assert odds is not None
            assert odds < 20.0


def test_twenty_to_one_is_kept_at_exactly_the_null() -> None:
    """A release that is `rel` times as bad as the old colour under load of both: at most one in twenty gets there."""
    runs, there = 150, 0
    for seed in range(runs):
        rng, control = random.Random(seed), Control.begin(GRID, 1.5, 1.0, 0.2)
        for _ in range(300):
            new = sum(rng.random() < 0.2 for _ in range(10))
            control.count(new, sum(rng.random() < 0.15 for _ in range(new)))
            control.count_other(10 - new, sum(rng.random() < 0.10 for _ in range(10 - new)))
            control.add(0.0)
            odds = control.odds
            if odds is not None and odds >= 20.0:
                there += 1
                break
    assert there / runs <= 0.05


def test_the_share_is_that_of_before_the_batch() -> None:
    control = Control.begin(GRID, 1.5, 1.0, 0.1)
    before = control.null
    control.count(1_000, 0)
    assert control.null == before
    control.add(0.0)
    assert control.null > 0.9


def test_before_the_old_colour_was_heard_its_share_of_the_users_decides() -> None:
    """Of half of the users, three that fail may be all there were: of a tenth, not."""
    odds = {}
    for share in (0.1, 0.5):
        account = Account.open(RULES, LONG)
        account.side_by_side(share)
        account.observe("5xx", n=3, bad=3, t_s=1.0)
        odds[share] = account.rows["5xx"].not_shared or 0.0
    assert odds[0.1] >= 20.0 > odds[0.5]


def test_an_old_colour_that_shows_no_such_events_is_not_waited_for() -> None:
    account = Account.open(RULES, LONG)
    account.side_by_side(0.5)
    account.observe("5xx", n=100, bad=10, t_s=1.0)
    assert account.rows["5xx"].not_shared is None
    assert account.convicting() is not None


def test_what_one_client_tries_again_is_counted_on_both_sides() -> None:
    """Merged, 300 clients that all fail would look the same on the colour with a tenth of the users."""
    account = Account.open(RULES, LONG)
    account.side_by_side(0.1)
    for tick in range(1, 300):
        account.observe("5xx", n=2, bad=2, repeats=0 if tick < 20 else 18, t_s=tick / 10)
        account.observe_other("5xx", n=180, bad=180, t_s=tick / 10)
    control = account.rows["5xx"].control
    assert control is not None
    assert control.new / (control.new + control.old) == pytest.approx(0.1, abs=0.02)


def test_when_all_users_were_moved_a_shared_incident_of_before_does_not_count() -> None:
    account = both(1.0, 1.0, 0.1, seed=1, seconds=60)
    account.side_by_side(None)
    assert not account.sure
    assert account.rows["5xx"].not_shared is None
    for bad in range(10):
        account.observe("5xx", n=1, bad=1, t_s=61.0 + bad)
    assert account.convicting() is not None, "what is bad from now on counts"


def test_when_all_users_were_moved_what_spoke_against_the_release_stays() -> None:
    account = both(0.05, 0.001, 0.1, seed=1)
    wealth = account.wealth
    account.side_by_side(None)
    assert account.wealth == wealth


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_of_one_colour_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="both serve"):
        Account.open(RULES, LONG).side_by_side(share)


def test_outcomes_of_the_old_colour_are_nothing_while_it_does_not_serve() -> None:
    account = Account.open(RULES, LONG)
    account.observe_other("5xx", n=10, bad=10, t_s=0.0)
    assert account == Account.open(RULES, LONG)
