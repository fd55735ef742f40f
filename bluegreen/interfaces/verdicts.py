"""The arithmetic of a verdict as lines for people."""

from datetime import datetime

from bluegreen.app.requests import Explanation, LimitLine, SignalLine
from bluegreen.domain.figures import as_odds, percent
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, paragraph, remark, strong

LABEL = 12
"""Columns of a label (text.paragraph)."""


def explanation_lines(explanation: Explanation, now: datetime) -> list[str]:
    """What the verdict is made of, what it still needs to cut back, and what keeps it from that."""
    shown = cleaned(explanation)
    lines = [
        _title(shown, now),
        paragraph("verdict", f"{strong(shown.verdict)}{f': {shown.reason}' if shown.reason else ''}"),
        paragraph("to cut back", _needed(shown)),
        *(line for signal in shown.signals for line in _signal_lines(signal)),
        *(line for signal in shown.dry for line in _signal_lines(signal)),
        *(paragraph("limit", _limit(limit)) for limit in shown.limits),
    ]
    if shown.silent:
        lines.append(remark(text.WARNING, "silent", f"{', '.join(shown.silent)}: nobody can tell how users fare"))
    lines += [remark(text.WARNING, "not heard", trouble) for trouble in shown.troubles]
    return lines + _hindrances(shown) + commands(_next(shown))


def _title(shown: Explanation, now: datetime) -> str:
    when = "now" if shown.current else f"as it was {text.ago(shown.at, now)}, when {shown.phase} ended"
    return (
        f"{shown.deployment}: {shown.release} in {strong(shown.phase)}, watched for {duration(shown.watched)}; {when}"
    )


def _needed(shown: Explanation) -> str:
    share = shown.odds / shown.odds_needed
    reached = "enough" if share >= 1 else f"{percent(share)} of that"
    return (
        f"odds of {as_odds(shown.odds_needed)} and {shown.min_bad} bad events; all signals together have"
        f" {as_odds(shown.odds)} ({reached})"
    )


def _signal_lines(signal: SignalLine) -> list[str]:
    """A signal's arithmetic, and below what it rests on: what was usual, what holds it back, where it came from."""
    dry_run = " (dry run: nothing follows)" if signal.dry_run else ""
    lines = [paragraph(_label(signal), f"{_signal(signal)}{dry_run}")]
    if signal.state:
        lines.append(paragraph("", f"{strong(signal.state)}{_why(signal)}; {_usual(signal)}"))
    lines += [paragraph("", f"{_holds(signal)}: {key.text}") for key in signal.keys if not key.turns and signal.bad]
    return lines + [paragraph("", line) for line in [signal.where] if line]


def _why(signal: SignalLine) -> str:
    """Why the state is what it is, where that does not stand on the line above."""
    if signal.trouble:
        return f": {signal.trouble}"
    if signal.made_up:
        return f": {signal.made_up:,} good probes stand in for users that did not come"
    return ""


def _usual(signal: SignalLine) -> str:
    if not signal.history:
        return f"no history: {percent(signal.tolerated)} is assumed{_stake(signal)}"
    unsteady = f", {signal.phi:.1f} times as unsteady as chance" if signal.phi > 1 else ""
    tolerated = f"tolerated is {DECIDES[signal.decides]}" if signal.decides in DECIDES else "tolerated"
    seen = f"usual {percent(signal.usual)} (history of {signal.history:,}{unsteady})"
    return f"{seen}; {tolerated}{_stake(signal)}"


def _stake(signal: SignalLine) -> str:
    """What is in dry run has a stake that decides nothing."""
    return "" if signal.dry_run else f"; {percent(signal.share)} of the stake"


DECIDES = {
    "rel": "a multiple of what was usual",
    "plus": "what was usual and a margin",
    "bound": "what a history of this length does not rule out",
    "clip": "the least, or the most, that ever may be",
}
"""Why so much is tolerated, by the term that decided it."""


def _holds(signal: SignalLine) -> str:
    """What a key does that does not turn, by whether the odds alone would do."""
    return "would be held back by" if signal.more_bad else "held back by"


def _label(signal: SignalLine) -> str:
    """With a gap behind it, however long it is."""
    label = signal.label or signal.signal
    return label if len(label) < LABEL else f"{label}  "


def _signal(signal: SignalLine) -> str:
    if signal.rate is None:
        seen = f"nothing seen, tolerated {percent(signal.tolerated)}"
    else:
        seen = f"{signal.bad:,} of {signal.n:,} ({percent(signal.rate)}) against tolerated {percent(signal.tolerated)}"
    return f"{seen}: {as_odds(signal.odds)}{_flip(signal)}{_missing(signal)}"


def _flip(signal: SignalLine) -> str:
    """What would make it cut back; where all together do already, only what speaks against the release says so."""
    if signal.more_bad is None:
        return "; every rate is tolerated, only fixed limits tell"
    if signal.more_bad:
        return f"; {signal.more_bad:,} more bad in a row would cut back"
    if signal.odds <= 1:
        return ""
    return "; this would cut back" if signal.dry_run else "; this cuts back"


def _missing(signal: SignalLine) -> str:
    if not signal.critical or not signal.missing or signal.state == "bad":
        return ""
    return f"; {signal.missing:,} more until it may be called good"


def _limit(limit: LimitLine) -> str:
    broken = ": broken, this cuts back by itself" if limit.broken else ""
    if limit.broken and limit.dry_run:
        broken = ": broken, nothing follows"
    if limit.text and limit.window:
        return f"{limit.text}{broken}"
    seen = f"{limit.samples:,} {'sample' if limit.samples == 1 else 'samples'}"
    return f"{limit.name}: {limit.value:g} of {limit.limit:g}, {seen}{broken}"


def _hindrances(shown: Explanation) -> list[str]:
    glyph = {"lost": text.FAILED, "degraded": text.WARNING}.get(shown.way_back, text.DONE)
    lines = [remark(glyph, "way back", shown.way_back)]
    if shown.held:
        lines.append(remark(text.WARNING, "held", shown.held))
    if shown.paused and shown.paused not in shown.held:
        lines.append(remark(text.WARNING, "paused", shown.paused))
    return lines


def _next(shown: Explanation) -> tuple[str, ...]:
    if not shown.current:
        return (f"bluegreen show {shown.deployment}",)
    if shown.verdict == "regressed":
        return ("bluegreen cutback",)
    return (f"bluegreen watch {shown.deployment}", "bluegreen cutback")
