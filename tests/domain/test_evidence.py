"""From counts to a verdict: who wins over whom, what is missing, and how it is told."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bluegreen.domain.account import Account, WatchRules
from bluegreen.domain.clients import Failures
from bluegreen.domain.evidence import Evidence, State, Verdict, judge
from bluegreen.domain.figures import as_odds, percent
from bluegreen.domain.history import Clients
from bluegreen.domain.limits import LimitReading
from bluegreen.domain.rules import SIGNALS, GaugeRule, SignalRule
from bluegreen.domain.signals import Who
from bluegreen.domain.stakes import Key

RULES = WatchRules()
LONG = {
    "5xx": RULES.tolerance(n=10_000, bad=10),
    "auth": RULES.tolerance(n=10_000, bad=50),
    "slow": RULES.tolerance(n=10_000, bad=500),
    "probe": RULES.tolerance(n=10_000, bad=0),
}
BROKEN = LimitReading("probe failures in a row", 3, 3, 41, broken=True)
KEPT = LimitReading("probe failures in a row", 2, 3, 41, broken=False)
SEEN = Evidence("5xx", n=1_204, bad=38, tolerated=0.003, odds=1_840.0, missing=312, critical=True, synthetic=False)


def account(**counts: tuple[int, int]) -> Account:
    """An account after one report of (n, bad) for each signal; `errors` stands for "5xx"."""
    opened = Account.open(RULES, LONG)
    for signal, (n, bad) in counts.items():
        opened.observe("5xx" if signal == "errors" else signal, n=n, bad=bad, t_s=60.0)
    return opened


GOOD = account(errors=(5_000, 5), probe=(5_000, 0))
OUTAGE = account(errors=(20, 20))
SILENT = {"access_log": "access_log has said nothing for 12 s"}


@pytest.mark.parametrize(
    ("of", "limits", "silent", "verdict"),
    [
        pytest.param(GOOD, (), {}, Verdict.HEALTHY, id="enough of both critical signals"),
        pytest.param(GOOD, (KEPT,), {}, Verdict.HEALTHY, id="a limit that is kept"),
        pytest.param(account(), (), {}, Verdict.UNDECIDED, id="nothing seen"),
        pytest.param(account(errors=(5_000, 5)), (), {}, Verdict.UNDECIDED, id="probes missing"),
        pytest.param(account(probe=(5_000, 0)), (), {}, Verdict.UNDECIDED, id="users missing"),
        pytest.param(GOOD, (), SILENT, Verdict.BLIND, id="good so far, then silent"),
        pytest.param(account(), (KEPT,), SILENT, Verdict.BLIND, id="nothing seen and silent"),
        pytest.param(OUTAGE, (), {}, Verdict.REGRESSED, id="outage"),
        pytest.param(OUTAGE, (), SILENT, Verdict.REGRESSED, id="outage, then silent"),
        pytest.param(GOOD, (BROKEN,), {}, Verdict.REGRESSED, id="a broken limit cuts by itself"),
        pytest.param(account(), (KEPT, BROKEN), SILENT, Verdict.REGRESSED, id="a broken limit, half-blind"),
        pytest.param(account(errors=(2, 2)), (), {}, Verdict.UNDECIDED, id="two bad are too few"),
        pytest.param(account(errors=(3, 3)), (), {}, Verdict.REGRESSED, id="three bad are enough"),
        pytest.param(account(auth=(500, 80)), (), {}, Verdict.REGRESSED, id="an uncritical signal cuts"),
    ],
)
def test_the_verdict(
    of: Account, limits: tuple[LimitReading, ...], silent: Mapping[str, str], verdict: Verdict
) -> None:
    assert judge(of, limits, silent=silent).verdict is verdict


def test_two_bad_are_held_back_by_the_key_alone() -> None:
    judged = judge(account(errors=(2, 2)))
    assert judged.odds >= judged.odds_needed
    assert not judged.signals[0].convicts
    assert [key.key for key in judged.signals[0].holding] == [Key.FEW]


def test_bad_events_scattered_over_signals_do_not_turn_the_key() -> None:
    assert judge(account(errors=(2, 2), probe=(500, 1), slow=(500, 30))).verdict is Verdict.UNDECIDED


def test_healthy_needs_exactly_the_number_that_it_names() -> None:
    missing = next(one.missing for one in judge(account(probe=(5_000, 0))).undecided)
    assert missing == 1_525
    almost = account(probe=(5_000, 0), errors=(missing - 1, 0))
    assert [(one.signal, one.missing) for one in judge(almost).undecided] == [("5xx", 1)]
    almost.observe("5xx", n=1, bad=0, t_s=61.0)
    assert judge(almost).verdict is Verdict.HEALTHY


def test_where_every_rate_is_tolerated_nothing_is_ever_called_healthy() -> None:
    opened = Account.open(RULES, {**LONG, "5xx": RULES.tolerance(n=1_000, bad=1_000)})
    opened.observe("5xx", n=100_000, bad=100_000, t_s=1.0)
    opened.observe("probe", n=100_000, bad=0, t_s=1.0)
    judged = judge(opened)
    assert judged.verdict is Verdict.UNDECIDED
    assert judged.reasons == ("5xx cannot tell: every rate is tolerated",)


@pytest.mark.parametrize(
    ("of", "none"),
    [
        pytest.param(account(), True, id="nothing at all"),
        pytest.param(account(probe=(5_000, 0)), True, id="probes only"),
        pytest.param(account(auth=(1, 0)), False, id="one user"),
        pytest.param(GOOD, False, id="users"),
    ],
)
def test_probes_do_not_hide_that_no_user_came(of: Account, none: bool) -> None:
    assert judge(of).no_traffic is none


def test_a_judgement_adds_up_and_puts_the_strongest_evidence_first() -> None:
    judged = judge(account(errors=(1_000, 5), auth=(500, 40), probe=(60, 0)))
    assert judged.signals[0].signal == "auth"
    assert judged.odds == pytest.approx(sum(one.odds for one in judged.signals))
    assert (judged.t_s, judged.odds_needed) == (60.0, 1_000.0)


@pytest.mark.parametrize(
    ("of", "limits", "silent", "text"),
    [
        pytest.param(
            account(),
            (),
            {},
            "undecided: 5xx needs 1,525 more; probe needs 1,197 more",
            id="undecided says how many more",
        ),
        pytest.param(
            GOOD,
            (),
            {**SILENT, "probes": "probes is 14 s behind", "queue": "queue: connection refused"},
            "blind: access_log has said nothing for 12 s; probes is 14 s behind",
            id="blind tells of every source of a critical signal",
        ),
        pytest.param(
            account(errors=(2, 2), probe=(5_000, 0)),
            (),
            {},
            "undecided: 5xx 2 of 2 (100 %) against tolerated 0.3 %: 2,786:1, held back: few bad events (2, 3 needed); "
            "5xx needs 1,523 more",
            id="what holds it back is said",
        ),
        pytest.param(
            GOOD,
            (KEPT, BROKEN),
            {},
            "regressed: probe failures in a row: 3, limit 3, 41 samples",
            id="a limit says value, limit and samples",
        ),
        pytest.param(
            OUTAGE,
            (BROKEN,),
            {},
            "regressed: 5xx 20 of 20 (100 %) against tolerated 0.3 %: over 1,000,000,000:1; "
            "probe failures in a row: 3, limit 3, 41 samples",
            id="account and limit stand side by side",
        ),
    ],
)
def test_a_judgement_tells_its_reasons(
    of: Account, limits: tuple[LimitReading, ...], silent: Mapping[str, str], text: str
) -> None:
    assert judge(of, limits, silent=silent).describe() == text


def test_a_healthy_judgement_names_the_signals_that_it_rests_on() -> None:
    reasons = judge(GOOD).reasons
    assert {reason.split()[0] for reason in reasons} == {"5xx", "probe"}


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        pytest.param(SEEN, "5xx 38 of 1,204 (3.2 %) against tolerated 0.3 %: 1,840:1", id="the operator's line"),
        pytest.param(replace(SEEN, n=0, bad=0), "5xx nothing seen, tolerated 0.3 %", id="no data is not 0 %"),
        pytest.param(
            replace(SEEN, bad=0, odds=0.031),
            "5xx 0 of 1,204 (0 %) against tolerated 0.3 %: 0.031:1",
            id="good",
        ),
    ],
)
def test_evidence_tells_its_arithmetic(evidence: Evidence, text: str) -> None:
    assert evidence.describe() == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.000001, "under 0.001 %"),
        (0.00025, "0.025 %"),
        (0.003, "0.3 %"),
        (0.0999, "10 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_is_written_as_people_do(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("wealth", "text"),
    [(0.0, "0:1"), (0.5, "0.5:1"), (12.4, "12:1"), (1_840.2, "1,840:1"), (1e300, "over 1,000,000,000:1")],
)
def test_odds_are_written_as_people_do(wealth: float, text: str) -> None:
    assert as_odds(wealth) == text


# --- sources that cannot be heard


def test_a_source_of_no_critical_signal_blinds_nobody_and_is_told() -> None:
    rules = replace(RULES, signals=tuple(replace(rule, source=f"of {rule.name}") for rule in SIGNALS))
    opened = Account.open(rules, LONG)
    for signal in ("5xx", "probe"):
        opened.observe(signal, n=5_000, bad=0, t_s=60.0)
    judged = judge(opened, silent={"of auth": "it refuses us"})
    assert (judged.verdict, judged.silent, judged.warnings) == (Verdict.HEALTHY, (), ("it refuses us",))
    states = {one.signal: (one.state, one.trouble) for one in judged.signals}
    assert states["auth"] == (State.ERROR, "it refuses us")
    assert states["5xx"] == (State.OK, "")
    assert states["slow"] == (State.UNDECIDED, "")


def test_what_is_worse_is_bad_even_where_its_source_has_failed_since() -> None:
    judged = judge(OUTAGE, silent=SILENT)
    assert (judged.signals[0].state, judged.convicting) == (State.BAD, "5xx")


# --- probes in place of users


@pytest.mark.parametrize(
    ("of", "verdict", "made_up"),
    [
        pytest.param(account(errors=(1_000, 0), probe=(2_000, 0)), Verdict.HEALTHY, 525, id="they make up the rest"),
        pytest.param(account(probe=(2_000, 0)), Verdict.HEALTHY, 1_525, id="they make up for no user at all"),
        pytest.param(account(errors=(100, 0), probe=(1_300, 0)), Verdict.UNDECIDED, 0, id="too few of them"),
        pytest.param(account(errors=(1_000, 0), probe=(1_000, 0)), Verdict.UNDECIDED, 525, id="they need their own"),
    ],
)
def test_good_probes_stand_in_for_users_that_do_not_come(of: Account, verdict: Verdict, made_up: int) -> None:
    judged = judge(of, top_up=True)
    errors = next(one for one in judged.signals if one.signal == "5xx")
    assert (judged.verdict, errors.made_up) == (verdict, made_up)
    assert judge(of).verdict is Verdict.UNDECIDED, "only where the terms say so"


def test_it_is_said_that_probes_stood_in() -> None:
    judged = judge(account(errors=(1_000, 0), probe=(2_000, 0)), top_up=True)
    assert any("(525 good probes stand in for users that did not come)" in reason for reason in judged.reasons)


def test_probes_do_not_stand_in_for_what_is_no_users() -> None:
    """A gauge, or a colour's own log, is not asked by a probe."""
    signals = (SignalRule("5xx", 0.5, critical=True), SignalRule("jobs", 0.3, critical=True, source="queue"))
    rules = replace(RULES, signals=(*signals, SignalRule("probe", 0.2, synthetic=True, source="probes")))
    opened = Account.open(rules, {rule.name: RULES.tolerance(n=10_000, bad=10) for rule in rules.signals})
    opened.observe("probe", n=9_000, bad=0, t_s=60.0)
    judged = judge(opened, top_up=True)
    assert [one.signal for one in judged.undecided] == ["jobs"]
    assert judged.no_traffic


@pytest.mark.parametrize(
    ("signal", "unseen"), [("queue", True), ("probe", False), ("5xx", False)], ids=["a gauge", "a probe", "a user"]
)
def test_a_gauge_does_not_hide_that_nobody_was_heard_of(signal: str, unseen: bool) -> None:
    gauge = SignalRule("queue", 0.2, source="queue", gauge=GaugeRule(), synthetic=True)
    probe = SignalRule("probe", 0.4, critical=True, synthetic=True, source="probes")
    rules = replace(RULES, signals=(SignalRule("5xx", 0.4, critical=True, source="access_log"), gauge, probe))
    opened = Account.open(rules, {rule.name: RULES.tolerance(n=10_000, bad=0) for rule in rules.signals})
    opened.observe(signal, n=10, bad=0, t_s=1.0)
    assert judge(opened).unseen is unseen


# --- dry run


def dry(n: int, bad: int) -> Account:
    rules = replace(RULES, signals=(SignalRule("trial", 1.0, critical=True, dry_run=True),))
    opened = Account.open(rules, {"trial": RULES.tolerance(n=10_000, bad=10)})
    opened.observe("trial", n=n, bad=bad, t_s=60.0)
    return opened


def test_a_signal_in_dry_run_is_shown_and_decides_nothing() -> None:
    judged = judge(GOOD, dry=dry(20, 20))
    (shown,) = judged.dry
    assert judged.verdict is Verdict.HEALTHY
    assert (shown.state, shown.critical, shown.dry_run) == (State.BAD, False, True)
    assert judged.odds == judge(GOOD).odds


def test_a_limit_in_dry_run_decides_nothing() -> None:
    judged = judge(GOOD, (replace(BROKEN, dry_run=True),))
    assert (judged.verdict, judged.convicting) == (Verdict.HEALTHY, "")


# --- what convicts, and what holds it back


def of_one_client(bad: int) -> Account:
    """Clients are known, and one of them fails."""
    known = {name: replace(held, clients=Clients.KNOWN) for name, held in LONG.items()}
    opened, failures = Account.open(RULES, known), Failures()
    for number in range(bad):
        who = Who((100,) * 8, (5,))
        heads = failures.count("5xx", 800, 1, who, 11.0 * number)
        opened.observe("5xx", n=heads.n, bad=heads.bad, t_s=11.0 * number, buckets=heads.buckets)
    return opened


def test_one_client_that_fails_holds_the_cut_back_and_it_is_said() -> None:
    opened = of_one_client(1)
    for _ in range(30):
        opened.observe(
            "5xx", n=8, bad=1, t_s=60.0, buckets=Failures().count("5xx", 8, 1, Who((1,) * 8, (5,)), 60.0).buckets
        )
    judged = judge(opened)
    assert judged.odds >= judged.odds_needed
    assert judged.verdict is Verdict.UNDECIDED
    (held,) = judged.held_back
    assert [key.key for key in held.holding] == [Key.ONE_CLIENT]
    assert "held back: one client (" in judged.describe()
    assert "20:1 needed)" in judged.describe()


def test_what_is_held_back_is_never_called_healthy() -> None:
    """Enough was seen of every critical signal, and the odds are there: a canary must not go on by that."""
    opened = of_one_client(1)
    for _ in range(60):
        buckets = Failures().count("5xx", 40, 1, Who((5,) * 8, (5,)), 60.0).buckets
        opened.observe("5xx", n=40, bad=1, t_s=60.0, buckets=buckets)
    opened.observe("probe", n=5_000, bad=0, t_s=60.0)
    judged = judge(opened)
    assert judged.undecided == ()
    assert (judged.verdict, len(judged.held_back)) == (Verdict.UNDECIDED, 1)


def test_another_signal_that_is_sure_by_itself_is_not_hidden_by_it() -> None:
    opened = of_one_client(1)
    for _ in range(60):
        buckets = Failures().count("5xx", 8, 1, Who((1,) * 8, (5,)), 60.0).buckets
        opened.observe("5xx", n=8, bad=1, t_s=60.0, buckets=buckets)
    opened.observe("probe", n=4, bad=4, t_s=60.0)
    judged = judge(opened)
    assert judged.signals[0].signal == "5xx"
    assert (judged.verdict, judged.convicting) == (Verdict.REGRESSED, "probe")
    assert judged.reasons[0].startswith("probe 4 of 4")


def test_where_it_came_from_is_asked_only_for_what_convicts() -> None:
    asked = []

    def where(signal: str) -> str:
        asked.append(signal)
        return "mostly POST /login of web (31 of 40)"

    assert judge(GOOD, (KEPT,), where=where).verdict is Verdict.HEALTHY
    assert asked == []
    judged = judge(OUTAGE, (replace(BROKEN, signal="5xx"),), where=where)
    assert judged.describe().count("mostly POST /login of web (31 of 40)") == 1


def test_a_limit_alone_tells_where_it_came_from() -> None:
    judged = judge(account(), (replace(BROKEN, signal="probe"),), where=lambda signal: f"where {signal}")
    assert judged.reasons == ("probe failures in a row: 3, limit 3, 41 samples, where probe",)
    assert judged.convicting == "probe"


def test_evidence_says_what_it_rests_on() -> None:
    errors = next(one for one in judge(OUTAGE).signals if one.signal == "5xx")
    assert (errors.p, errors.history_n, errors.phi, errors.decides, errors.share) == (0.001, 10_000, 1.0, "bound", 0.4)
    gauge = SignalRule("queue", 0.2, source="queue", gauge=GaugeRule(), label="queue of jobs")
    rules = replace(RULES, signals=(SignalRule("5xx", 0.8, critical=True), gauge))
    judged = judge(Account.open(rules, {rule.name: RULES.tolerance(n=100, bad=0) for rule in rules.signals}))
    queue = next(one for one in judged.signals if one.signal == "queue")
    assert (queue.source, queue.of_users, queue.describe().split(" nothing")[0]) == ("queue", False, "queue of jobs")
