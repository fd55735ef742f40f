"""How many more bad events would flip a verdict: asked of a copy, and true when they come."""

import pytest

from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.evidence import Verdict, judge
from bluegreen.domain.outlook import more_bad_to_cut

RULES = WatchRules(window_s=60.0, standby_s=60.0)


def account(n: int = 10_000, bad: int = 10) -> Account:
    """An account at the switch, after this history of the live colour."""
    names = ("5xx", "auth", "probe")
    return Account.open(RULES, {name: RULES.tolerance(n=n, bad=bad) for name in names})


@pytest.mark.parametrize(("n", "bad"), [(0, 0), (200, 0), (5000, 5), (5000, 30)])
def test_that_many_cut_and_one_less_does_not(n: int, bad: int) -> None:
    asked = account()
    asked.observe("5xx", n=n, bad=bad, t_s=5.0)
    more = more_bad_to_cut(asked, "5xx")
    assert more is not None
    assert more > 0
    before = asked.to_dict()
    asked.observe("5xx", n=more - 1, bad=more - 1, t_s=5.0)
    assert judge(asked).verdict is not Verdict.REGRESSED
    asked.observe("5xx", n=1, bad=1, t_s=5.0)
    assert judge(asked).verdict is Verdict.REGRESSED
    assert before != asked.to_dict()


def test_asking_changes_nothing() -> None:
    asked = account()
    before = asked.to_dict()
    more_bad_to_cut(asked, "auth")
    assert asked.to_dict() == before


def test_a_release_that_is_found_worse_needs_no_more() -> None:
    asked = account()
    asked.observe("5xx", n=100, bad=100, t_s=5.0)
    assert more_bad_to_cut(asked, "5xx") == 0


def test_where_every_rate_is_tolerated_no_number_suffices_or_a_great_one_does() -> None:
    asked = Account.open(RULES, {name: RULES.tolerance(n=0, bad=0) for name in ("5xx", "probe")})
    more = more_bad_to_cut(asked, "5xx")
    assert more is None or more > RULES.min_bad
