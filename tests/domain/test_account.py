"""The betting account: how early it is sure, its clock, its numbers, and what survives a restart.

That it keeps its promise about false cuts is shown in test_false_cuts.py. Random streams have fixed seeds.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite, log
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.account import Account
from bluegreen.domain.chernoff import divergence
from bluegreen.domain.clients import Buckets
from bluegreen.domain.history import Clients
from bluegreen.domain.rules import SIGNALS, SignalRule
from bluegreen.domain.stakes import Key
from bluegreen.domain.tolerance import Tolerance
from bluegreen.domain.watch_rules import WatchRules

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
    assert apart.rows["5xx"].bets.settled() == pytest.approx(together.rows["5xx"].bets.settled(), rel=1e-12)


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


# --- one client, and several signals

KNOWN = {name: replace(tolerance, clients=Clients.KNOWN) for name, tolerance in LONG.items()}


def buckets(failed: dict[int, int], good: int = 0) -> tuple[int, int, Buckets]:
    """(n, bad, by bucket): failures by bucket, and `good` good events spread over all buckets."""
    bad = [failed.get(bucket, 0) for bucket in range(8)]
    asked = [each + good // 8 for each in bad]
    return sum(asked), sum(bad), Buckets(tuple(asked), tuple(bad))


def after(account: Account, failed: dict[int, int], good: int = 0, signal: str = "5xx", t_s: float = 1.0) -> Account:
    n, bad, split = buckets(failed, good)
    account.observe(signal, n=n, bad=bad, t_s=t_s, buckets=split)
    return account


@pytest.mark.parametrize(
    ("failed", "held_back"),
    [
        pytest.param({3: 50}, (Key.ONE_CLIENT,), id="one client"),
        pytest.param({1: 1, 5: 1}, (Key.FEW,), id="two failures"),
        pytest.param({1: 2, 5: 1}, (), id="two clients, three failures"),
        pytest.param({0: 50, 1: 1, 2: 1}, (), id="one client fails most, others too"),
    ],
)
def test_a_cut_waits_for_a_second_client(failed: dict[int, int], held_back: tuple[Key, ...]) -> None:
    account = after(Account.open(RULES, KNOWN), failed)
    assert account.sure
    assert account.rows["5xx"].held_back(RULES) == held_back
    assert (account.convicting() is None) is bool(held_back)


@pytest.mark.parametrize("clients", [Clients.DOMINATED, Clients.UNKNOWN])
def test_where_clients_cannot_be_told_apart_one_suffices(clients: Clients) -> None:
    account = after(Account.open(RULES, {**KNOWN, "5xx": replace(LONG["5xx"], clients=clients)}), {3: 3})
    assert account.convicting() is account.rows["5xx"]
    assert account.rows["5xx"].without_one_client is None


def test_events_of_nobody_known_are_never_left_out() -> None:
    account = Account.open(RULES, KNOWN)
    account.observe("5xx", n=3, bad=3, t_s=1.0)
    assert account.convicting() is account.rows["5xx"]


def test_one_client_on_one_route_does_not_hide_what_is_wrong_on_another() -> None:
    account = after(Account.open(RULES, KNOWN), {3: 50})
    assert account.convicting() is None
    after(account, {1: 2, 4: 2, 6: 2}, signal="auth", t_s=2.0)
    assert account.convicting() is account.rows["auth"]


def test_two_signals_that_are_sure_only_together_convict_by_the_stronger_one() -> None:
    account = Account.open(RULES, LONG)
    for signal, wealth in (("5xx", 450.0), ("auth", 600.0)):
        row = account.rows[signal]
        row.n, row.bad, row.bets.stakes = 100, 3, [wealth / 7] * 7
    assert account.convicting() is account.rows["auth"]
    account.rows["auth"].bad = 2
    assert account.convicting() is None, "the weaker one is not sure without the other"
    account.rows["5xx"].bets.stakes = [1_100.0 / 7] * 7
    assert account.convicting() is account.rows["5xx"]


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


Reports = list[tuple[str, list[int], float, float]]


@FIXED
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(KNOWN)),
            st.lists(st.integers(0, 600), min_size=8, max_size=8),
            st.floats(0, 1),
            st.floats(0, 9_000),
        ),
        max_size=30,
    ),
    st.integers(0, 30),
    st.booleans(),
)
def test_an_account_survives_a_restart_to_the_last_bit(reports: Reports, both_until: int, other: bool) -> None:
    account = Account.open(RULES, KNOWN)
    if both_until:
        account.side_by_side(0.1)
    for number, (signal, asked, rate, t_s) in enumerate(reports):
        failed = tuple(int(each * rate) for each in asked)
        split = Buckets(tuple(asked), failed)
        account.observe(signal, n=sum(asked), bad=sum(failed), t_s=t_s, buckets=split)
        if other:
            account.observe_other(signal, n=sum(asked), bad=sum(failed), t_s=t_s)
        if number == both_until:
            account.side_by_side(None)
    again = Account.from_dict(json.loads(json.dumps(account.to_dict(), allow_nan=False)))
    assert again == account
    for one in (account, again):
        one.observe("5xx", n=100, bad=3, t_s=9_001.0)
        one.observe_other("5xx", n=100, bad=3, t_s=9_002.0)
    assert again.to_dict() == account.to_dict()


def test_own_rules_and_signals_survive_a_restart() -> None:
    account = Account.open(LOOSE, {"5xx": NULL})
    assert Account.from_dict(json.loads(json.dumps(account.to_dict()))).rules == LOOSE


def saved_row(**changes: object) -> dict[str, object]:
    saved = Account.open(LOOSE, {"5xx": NULL}).to_dict()
    return {**saved, "rows": {"5xx": {**saved["rows"]["5xx"], **changes}}}


def test_an_account_that_an_earlier_version_saved_goes_on() -> None:
    account = Account.open(LOOSE, {"5xx": NULL})
    account.observe("5xx", n=100, bad=3, t_s=5.0)
    saved = account.to_dict()
    row = {key: saved["rows"]["5xx"][key] for key in ("n", "bad", "stakes")}
    tolerance = {"p": NULL.p, "q0": NULL.q0, "history_n": NULL.history_n, "phi": 1.0}
    again = Account.from_dict({**saved, "rows": {"5xx": {**row, "tolerance": tolerance}}})
    assert again == account


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
        pytest.param(saved_row(stakes=[1]), id="other effect sizes"),
        pytest.param(saved_row(without=[[0.0] * 7]), id="buckets of clients that are not there"),
        pytest.param(saved_row(tolerance={"p": 0, "q0": 0.1, "history_n": 1, "clients": "some"}), id="odd clients"),
        pytest.param(saved_row(control={"stakes": [1.0] * 7}), id="half a comparison"),
        pytest.param({**Account.open(LOOSE, {"5xx": NULL}).to_dict(), "rows": [1]}, id="rows that are none"),
    ],
)
def test_saved_evidence_of_another_shape_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shape|critical|stakes|buckets|Clients"):
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
