"""Asks again what failed, a fixed number of times: a colour that has just started may need a second try."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_fixed

from bluegreen.domain.checks import CheckResult
from bluegreen.domain.flows import StepTaken


@dataclass(frozen=True, slots=True)
class Finding:
    """What one try found: whether it passed, what was expected and came, and the requests that were made."""

    passed: bool
    detail: str
    steps: tuple[StepTaken, ...] = ()


async def until_passed(name: str, ask: Callable[[], Awaitable[Finding]], retries: int, delay: float) -> CheckResult:
    """The result of the first try that passed, else of the last: one and `retries` more, `delay` seconds apart."""
    began = monotonic()
    tries = AsyncRetrying(
        retry=retry_if_result(lambda finding: not finding.passed),
        stop=stop_after_attempt(retries + 1),
        wait=wait_fixed(delay),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )

    async def once() -> Finding:  # tenacity awaits only what is a coroutine function itself
        return await ask()

    finding: Finding = await tries(once)
    return CheckResult(name, finding.passed, finding.detail, monotonic() - began, finding.steps)
