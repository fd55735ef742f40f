"""What the checks of a colour say, as lines: flows step by step, and with -v what was asked and answered."""

from collections.abc import Iterator

from bluegreen.app.upkeep_answers import SmokeAnswer
from bluegreen.domain.checks import CheckResult
from bluegreen.domain.flows import StepTaken
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, faint, mark


def smoke_lines(answer: SmokeAnswer, *, verbose: bool = False) -> list[str]:
    """Every check, passed or not; the steps of those that have several, and all of them where `verbose`."""
    answer = cleaned(answer)
    failed = sum(not check.passed for check in answer.checks)
    runs = f" ({answer.release})" if answer.release else ""
    if failed:
        first = f"{mark(text.FAILED)} {answer.colour}{runs} fails {failed} of {len(answer.checks)} checks"
    else:
        first = f"{mark(text.DONE)} {answer.colour}{runs} passes all {len(answer.checks)} checks"
    lines = [line for check in answer.checks for line in _check(check, verbose=verbose)]
    return [first, *lines, *(commands((f"bluegreen env logs {answer.colour}",)) if failed else [])]


def _check(check: CheckResult, *, verbose: bool) -> Iterator[str]:
    glyph = mark(text.DONE if check.passed else text.FAILED)
    yield f"  {glyph} {check.name}: {check.detail} ({duration(check.seconds)})"
    if not verbose and not _is_flow(check):
        return
    places = len({step.address for step in check.steps}) > 1
    for step in check.steps:
        yield from _step(step, places=places, verbose=verbose)


def _is_flow(check: CheckResult) -> bool:
    """Whether it is more than one request."""
    return any(step.number > 1 for step in check.steps) or len(check.steps) > 1


def _step(step: StepTaken, *, places: bool, verbose: bool) -> Iterator[str]:
    glyph = mark(text.FAILED if step.failure else text.DONE)
    where = f" at {step.address}" if places or verbose else ""
    yield f"    {glyph} {step.number}. {step.title}{where} ({duration(step.seconds)})"
    if verbose:
        yield faint(f"        asked:    {step.sent or 'nothing'}")
        yield faint(f"        answered: {step.got or 'nothing'}")
        if step.failure:
            yield f"        {step.failure}"
