"""What a replay found, as lines for people and as a document for programs."""

from bluegreen.app.replayed import Change, Outcome, Served
from bluegreen.app.survey import Survey
from bluegreen.domain.evidence import Verdict
from bluegreen.domain.records import Json
from bluegreen.interfaces import text
from bluegreen.interfaces.text import clean, duration, paragraph, remark, strong

GLYPHS = {
    Verdict.REGRESSED: text.FAILED,
    Verdict.HEALTHY: text.DONE,
    Verdict.UNDECIDED: text.WAITING,
    Verdict.BLIND: text.WARNING,
}


def outcome_lines(survey: Survey, outcome: Outcome) -> list[str]:
    """Each verdict with its moment and reason, and the end."""
    lines = [_title(survey, outcome), *(_change(change) for change in outcome.changes)]
    if outcome.until_cut is not None:
        lines += [paragraph("served", _served(clean(survey.new), outcome.until_cut)), _spared(outcome)]
    lines.append(_end(survey, outcome))
    return lines


def outcome_document(survey: Survey, outcome: Outcome) -> Json:
    """The same for programs; times are those of the samples, `after` seconds since the switch."""
    cut = outcome.cut
    return {
        "samples": survey.samples,
        "old": survey.old,
        "new": survey.new,
        "switched_at": survey.switched_at,
        "side_by_side": outcome.side_by_side,
        "side_until": survey.side_until,
        "verdicts": [_change_document(change) for change in outcome.changes],
        "verdict": outcome.changes[-1].verdict,
        "reason": "; ".join(outcome.last.reasons),
        "judged_until": outcome.judged_until,
        "regressed": None if cut is None or outcome.until_cut is None else _cut_document(cut, outcome.until_cut),
        "in_all": _served_document(outcome.in_all),
        "signals": [
            {"signal": e.signal, "n": e.n, "bad": e.bad, "tolerated": e.tolerated, "odds": min(e.odds, 1e300)}
            for e in outcome.last.signals
        ],
    }


def _title(survey: Survey, outcome: Outcome) -> str:
    how = "side by side" if outcome.side_by_side else "all users moved"
    old, new = clean(survey.old or "nobody"), clean(survey.new)
    return f"{survey.samples:,} samples; {old} to {strong(new)} at {_number(survey.switched_at or 0.0)}, {how}"


def _change(change: Change) -> str:
    reason = f"{strong(change.verdict)} at {_number(change.t)}: {clean(change.reason)}"
    return remark(GLYPHS[change.verdict], _after(change.after), reason)


def _served(new: str, served: Served) -> str:
    return f"{strong(f'{served.bad:,} bad responses')} of {served.n:,} by {new} until then ({_by_signal(served)})"


def _by_signal(served: Served) -> str:
    return ", ".join(f"{clean(signal)} {bad:,} of {n:,}" for signal, (n, bad) in served.events.items())


def _spared(outcome: Outcome) -> str:
    return paragraph("in all", f"{outcome.in_all.bad:,} bad of {outcome.in_all.n:,} in the whole stream")


def _end(survey: Survey, outcome: Outcome) -> str:
    after = _after(outcome.judged_until - (survey.switched_at or 0.0))
    if outcome.cut is not None:
        return paragraph("end", f"it would have been cut back {after} after the switch")
    what = "the watch was over" if outcome.ended else "the samples end"
    return paragraph("end", f"{what} {after} after the switch: {clean(outcome.last.describe())}")


def _after(seconds: float) -> str:
    """Seconds since the switch: exact where they are few."""
    return f"{seconds:.2f}s" if seconds < 100 else duration(seconds)


def _number(t: float) -> str:
    return f"t={t:.3f}".rstrip("0").rstrip(".")


def _change_document(change: Change) -> Json:
    return {
        "t": change.t,
        "after": round(change.after, 6),
        "verdict": change.verdict,
        "reason": change.reason,
        "odds": min(change.odds, 1e300),
    }


def _cut_document(cut: Change, served: Served) -> Json:
    return {"t": cut.t, "after": round(cut.after, 6), "reason": cut.reason, **_served_document(served)}


def _served_document(served: Served) -> Json:
    by_signal = {signal: {"n": n, "bad": bad} for signal, (n, bad) in served.events.items()}
    return {"signal": served.signal, "n": served.n, "bad": served.bad, "by_signal": by_signal}
