"""The arithmetic of a verdict as lines for people."""

from datetime import datetime

from bluegreen.app.requests import Explanation, LimitLine, SignalLine
from bluegreen.domain.evidence import as_odds, percent
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, paragraph, remark, strong


def explanation_lines(explanation: Explanation, now: datetime) -> list[str]:
    """What the verdict is made of, what it still needs to cut back, and what keeps it from that."""
    shown = cleaned(explanation)
    lines = [
        _title(shown, now),
        paragraph("verdict", f"{strong(shown.verdict)}{f': {shown.reason}' if shown.reason else ''}"),
        paragraph("to cut back", _needed(shown)),
        *(paragraph(signal.signal, _signal(signal)) for signal in shown.signals),
        *(paragraph("limit", _limit(limit)) for limit in shown.limits),
    ]
    if shown.silent:
        lines.append(remark(text.WARNING, "silent", f"{', '.join(shown.silent)}: nobody can tell how users fare"))
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
    return "; this cuts back" if signal.odds > 1 else ""


def _missing(signal: SignalLine) -> str:
    if not signal.critical or not signal.missing:
        return ""
    return f"; {signal.missing:,} more until it may be called good"


def _limit(limit: LimitLine) -> str:
    broken = ": broken, this cuts back by itself" if limit.broken else ""
    return f"{limit.name}: {limit.value:g} of {limit.limit:g}, {limit.samples:,} samples{broken}"


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
