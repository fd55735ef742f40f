"""Asks again what failed, a fixed number of times: a colour that just started may need a second try."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_fixed

from bluegreen.domain.checks import CheckResult


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a check is asked: `timeout` seconds per try, `retries` further tries, `delay` seconds between."""

    timeout: float = 5.0
    retries: int = 0
    delay: float = 1.0


async def until_passed(ask: Callable[[], Awaitable[CheckResult]], patience: Patience) -> CheckResult:
    """The first result that passed, else the last one."""

    def last(state: RetryCallState) -> CheckResult:
        if state.outcome is None:
            raise RuntimeError("tenacity gave up before the first try")
        result: CheckResult = state.outcome.result()
        return result

    tries = AsyncRetrying(
        retry=retry_if_result(lambda result: not result.passed),
        stop=stop_after_attempt(patience.retries + 1),
        wait=wait_fixed(patience.delay),
        retry_error_callback=last,
    )
    return await tries(ask)
