"""What a plan says of how the release will be judged."""

from dataclasses import replace

from bluegreen.app.baseline import Baseline
from bluegreen.app.measures import measures
from bluegreen.domain.plans import Terms
from bluegreen.domain.rules import SIGNALS, Direction, GaugeRule, LimitRule, SignalRule
from tests.domain.examples import terms as promised

LOG = SignalRule("log:errors", 0.1, source="log_lines", label="log lines of errors")
QUEUE = SignalRule("queue", 0.1, source="queue", gauge=GaugeRule(Direction.ABOVE))
DEPTH = SignalRule("depth", 0.1, source="depth", gauge=GaugeRule(low=2.0, high=9.0), dry_run=True)


def judged(*signals: SignalRule, baseline: Baseline | None = None, limits: tuple[LimitRule, ...] = ()) -> list[str]:
    total = sum(rule.weight for rule in (*SIGNALS, *signals) if not rule.dry_run)
    rules = tuple(replace(rule, weight=rule.weight / (1 if rule.dry_run else total)) for rule in (*SIGNALS, *signals))
    terms: Terms = replace(promised(), signals=rules, limits=limits)
    return list(measures(terms, baseline or Baseline()))


def test_each_signal_says_its_source_its_part_and_what_was_usual() -> None:
    baseline = Baseline()
    baseline.count("5xx", 10_000, 10, 1000.0)
    lines = judged(LOG, baseline=baseline)
    assert lines[0] == (
        "5xx: from access_log, 36.4 % of the evidence, critical; 0.1 % bad of 10,000 was usual, up to 0.3 % is"
        " tolerated"
    )
    assert "log lines of errors: from log_lines, 9.1 % of the evidence; no history yet" in lines


def test_a_gauge_says_on_which_side_it_is_bad_and_a_dry_run_that_it_decides_nothing() -> None:
    lines = judged(QUEUE, DEPTH)
    assert (
        "queue: asked for by us, 9.1 % of the evidence; bad above what is usual, which is not known yet; no history yet"
        in lines
    )
    assert "depth: asked for by us, dry run, decides nothing; bad below 2 and above 9; no history yet" in lines


def test_limits_stand_below_the_signals_as_they_were_written() -> None:
    limits = (
        LimitRule("errors", "5xx", 0.02, window_s=30.0, min_samples=50),
        LimitRule("deep", "queue", 200.0, in_a_row=3, dry_run=True),
    )
    assert judged(QUEUE, limits=limits)[-3:] == [
        "limit probe failures in a row: probe bad, 3 in a row",
        "limit errors: 5xx above 2 % for 30 s with at least 50",
        "limit deep: queue above 200, 3 in a row (dry run, decides nothing)",
    ]
