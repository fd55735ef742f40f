"""The betting account: how early it is sure, its clock, its numbers, and what survives a restart.

That it keeps its promise about false cuts is shown in test_false_cuts.py. Random streams have fixed seeds.
"""

import json
import random
from collections.abc import Iterator
from math import isfinite, log
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.rules import SIGNALS, SignalRule
from bluegreen.domain.tolerance import Tolerance, divergence

FIXED = settings(derandomize=True, database=None, deadline=None, max_examples=100)
RULES = WatchRules()
LONG = {
    "5xx": RULES.tolerance(n=10_000, bad=10),
    "auth": RULES.tolerance(n=10_000, bad=50),
    "slow": RULES.tolerance(n=10_000, bad=500),
    "probe": RULES.tolerance(n=10_000, bad=0),
}
NULL = Tolerance(p=0.02, q0=0.02, history_n=10_000)
ONLY = (SignalRule("5xx", weight=1.0, critical=True),)
LOOSE = WatchRules(window_s=300.0, standby_s=0.0, alpha=0.05, signals=ONLY)

Report = tuple[float, int, int]
"""(time, n, bad)"""


def sure(account: Account) -> bool:
    """The strict event that alpha bounds: no key holds it back."""
    return account.wealth >= 1.0 / account.rules.alpha


# --- how early it is sure


def bad_until_sure(reports: Iterator[Report], signal: str = "5xx", counted_from_s: float = 0.0) -> int | None:
    account = Account.open(RULES, LONG)
    served = 0
    for t_s, n, bad in reports:
        account.observe(signal, n=n, bad=bad, t_s=t_s)
        served += bad if t_s > counted_from_s else 0
        if sure(account) and account.rows[signal].bad >= RULES.min_bad:
            return served
    return None


def traffic(rps: float, rate: float, seed: int, until_s: float, start_s: float = 0.0) -> Iterator[Report]:
    """Evenly spaced requests, each reported at once, that fail at `rate` after `start_s`."""
    rng = random.Random(seed)
    for i in range(round(start_s * rps) + 1, round(until_s * rps) + 1):
        yield i / rps, 1, int(rng.random() < rate)


def good_then_outage(rps: float, start_s: float) -> Iterator[Report]:
    for i in range(1, round(start_s * 10) + 1):
        yield i / 10, round(rps / 10), 0
    yield from traffic(rps, 1.0, seed=0, start_s=start_s, until_s=start_s + 60.0)


@pytest.mark.parametrize("rps", [50.0, 1.0, 0.2, 1 / 60])
def test_an_outage_is_cut_within_three_bad_responses(rps: float) -> None:
    assert bad_until_sure(traffic(rps, 1.0, seed=0, until_s=3_600.0)) == 3


def test_an_outage_after_twenty_good_minutes_is_cut_within_six_bad_responses() -> None:
    served = bad_until_sure(good_then_outage(50.0, 1_200.0), counted_from_s=1_200.0)
    assert served is not None
    assert served <= 6


@pytest.mark.parametrize("rate", [0.1, 0.05, 0.01])
def test_an_error_rate_is_cut_near_walds_bound(rate: float) -> None:
    wald = rate * log(1.0 / RULES.alpha) / divergence(rate, LONG["5xx"].q0)
    served = [bad_until_sure(traffic(50.0, rate, seed, until_s=600.0)) for seed in range(25)]
    assert None not in served
    assert median(one for one in served if one is not None) <= 2.2 * wald


def test_a_trivially_different_rate_is_never_cut() -> None:
    rules = RULES
    tolerances = {**LONG, "5xx": rules.tolerance(n=10_000, bad=50)}
    for seed in range(20):
        rng, account = random.Random(seed), Account.open(rules, tolerances)
        for second in range(1, 1_801):
            account.observe("5xx", n=20, bad=sum(rng.random() < 0.006 for _ in range(20)), t_s=float(second))
            assert not sure(account)


@pytest.mark.parametrize(
    ("rate", "at_most"),
    [pytest.param(1.0, 10, id="outage"), pytest.param(0.4, 60, id="40 %")],
)
def test_a_fresh_daemon_without_history_still_cuts_gross_failures(rate: float, at_most: int) -> None:
    unknown = dict.fromkeys(LONG, RULES.tolerance(n=0, bad=0))
    for seed in range(10):
        account = Account.open(RULES, unknown)
        for t_s, n, bad in traffic(50.0, rate, seed, until_s=60.0):
            account.observe("5xx", n=n, bad=bad, t_s=t_s)
            if sure(account):
                break
        assert sure(account)
        assert account.rows["5xx"].bad <= at_most


# --- the clock


def test_half_the_stake_is_bet_at_the_switch_and_all_of_it_at_the_end() -> None:
    account = Account.open(RULES, LONG)
    assert account.wealth == pytest.approx(0.5)
    end = RULES.window_s + RULES.standby_s
    account.release(end)
    assert account.wealth == pytest.approx(0.5), "what is due meets the next report, not this one"
    account.release(end + 1.0)
    assert account.wealth == pytest.approx(1.0)
    account.release(end * 10)
    assert account.wealth == pytest.approx(1.0)


def test_reports_of_one_time_are_one_report() -> None:
    apart, together = Account.open(RULES, LONG), Account.open(RULES, LONG)
    for account in (apart, together):
        account.release(30.0)
    apart.observe("5xx", n=90, bad=0, t_s=40.0)
    apart.observe("5xx", n=10, bad=2, t_s=40.0)
    together.observe("5xx", n=100, bad=2, t_s=40.0)
    assert apart.rows["5xx"].stakes == pytest.approx(together.rows["5xx"].stakes, rel=1e-12)


def test_an_earlier_time_counts_but_releases_nothing() -> None:
    account = Account.open(RULES, LONG)
    account.observe("5xx", n=1, bad=0, t_s=100.0)
    account.observe("5xx", n=1, bad=0, t_s=200.0)
    released = account.released
    account.observe("5xx", n=5, bad=1, t_s=150.0)
    assert (account.released, account.t_s) == (released, 200.0)
    assert (account.rows["5xx"].n, account.rows["5xx"].bad) == (7, 1)


def test_an_outcome_of_one_signal_leaves_the_other_signals_bets_alone() -> None:
    account = Account.open(RULES, LONG)
    before = account.rows["auth"].wealth
    account.observe("5xx", n=10, bad=10, t_s=1.0)
    assert account.rows["auth"].wealth == pytest.approx(before)


# --- numbers, state, refusals


def test_ten_million_good_then_a_million_bad_stays_finite_and_cuts() -> None:
    account = Account.open(RULES, LONG)
    for t_s in range(1, 1_001):
        account.observe("5xx", n=10_000, bad=0, t_s=float(t_s))
    assert not sure(account)
    account.observe("5xx", n=1_000_000, bad=1_000_000, t_s=1_001.0)
    account.observe("5xx", n=1_000_000, bad=1_000_000, t_s=1_002.0)
    assert isfinite(account.wealth)
    assert sure(account)


def test_stakes_that_have_died_are_healed_by_the_clock() -> None:
    account = Account.open(RULES, LONG)
    account.observe("5xx", n=10_000_000, bad=0, t_s=1.0)
    assert account.rows["5xx"].wealth == 0.0
    account.release(60.0)
    account.release(61.0)
    assert account.rows["5xx"].wealth > 0.0


@FIXED
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(LONG)), st.integers(0, 5_000), st.floats(0, 1), st.floats(0, 9_000)),
        max_size=30,
    )
)
def test_an_account_survives_a_restart_to_the_last_bit(reports: list[tuple[str, int, float, float]]) -> None:
    account = Account.open(RULES, LONG)
    for signal, n, rate, t_s in reports:
        account.observe(signal, n=n, bad=int(n * rate), t_s=t_s)
    again = Account.from_dict(json.loads(json.dumps(account.to_dict(), allow_nan=False)))
    assert again == account
    for one in (account, again):
        one.observe("5xx", n=100, bad=3, t_s=9_001.0)
    assert again.wealth == account.wealth


def test_own_rules_and_signals_survive_a_restart() -> None:
    account = Account.open(LOOSE, {"5xx": NULL})
    assert Account.from_dict(json.loads(json.dumps(account.to_dict()))).rules == LOOSE


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({}, id="empty"),
        pytest.param({**Account.open(LOOSE, {"5xx": NULL}).to_dict(), "rows": {}}, id="a critical row is gone"),
        pytest.param(
            {
                **Account.open(LOOSE, {"5xx": NULL}).to_dict(),
                "rules": {"signals": [], "grid": [], "other": 1},
            },
            id="rules of another program",
        ),
        pytest.param(
            {
                **Account.open(LOOSE, {"5xx": NULL}).to_dict(),
                "rows": {
                    "5xx": {
                        "tolerance": {"p": 0, "q0": 0.1, "history_n": 1, "phi": 1},
                        "n": 0,
                        "bad": 0,
                        "stakes": [1],
                    }
                },
            },
            id="other effect sizes",
        ),
    ],
)
def test_saved_evidence_of_another_shape_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shape|critical|stakes"):
        Account.from_dict(broken)


def test_a_signal_without_a_tolerance_takes_no_part_and_the_others_share_its_weight() -> None:
    account = Account.open(RULES, {name: LONG[name] for name in ("5xx", "probe")})
    assert {name: row.share for name, row in account.rows.items()} == pytest.approx({"5xx": 2 / 3, "probe": 1 / 3})
    assert account.wealth == pytest.approx(0.5)
    with pytest.raises(KeyError):
        account.observe("slow", n=1, bad=0, t_s=1.0)


@pytest.mark.parametrize(
    ("tolerances", "why"),
    [
        pytest.param({"5xx": NULL}, "critical signal probe", id="a critical signal is missing"),
        pytest.param({**LONG, "disk": NULL}, "weight to the signal disk", id="a signal without a rule"),
    ],
)
def test_an_account_that_could_not_keep_its_promise_is_not_opened(tolerances: dict[str, Tolerance], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Account.open(RULES, tolerances)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"alpha": 0.0}, "alpha", id="alpha of 0"),
        pytest.param({"window_s": 0.0}, "window_s", id="no window"),
        pytest.param({"min_effect": 0.0}, "min_effect", id="no effect is small enough"),
        pytest.param({"rel": 0.9}, "rel", id="stricter than the live colour"),
        pytest.param({"grid": (1.0, 5.0)}, "effect size", id="a bet that cannot win"),
        pytest.param({"signals": SIGNALS[:3]}, "add up to 1", id="weights do not add up"),
        pytest.param({"signals": (SignalRule("5xx", 1.0),)}, "critical", id="nothing is critical"),
        pytest.param({"signals": (SignalRule("a", 0.5, critical=True),) * 2}, "named twice", id="a signal named twice"),
    ],
)
def test_rules_that_make_no_sense_are_refused(changed: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        WatchRules(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "bad"), [(1, 2), (1, -1)])
def test_what_is_no_count_is_refused_and_changes_nothing(n: int, bad: int) -> None:
    account, untouched = Account.open(RULES, LONG), Account.open(RULES, LONG)
    with pytest.raises(ValueError, match="not a count"):
        account.observe("5xx", n=n, bad=bad, t_s=1.0)
    assert account == untouched
