"""Continuity by flows: one colour is asked as by a user who comes for the first time, then the other with what that
user holds, cookies and captured values.

What is minted comes from the first address of a colour, and is used at every address of the other: users may end up at
any of them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from bluegreen.adapters.checks.attempts import Finding, until_passed
from bluegreen.adapters.checks.flow import finding, in_words, runs, walked
from bluegreen.adapters.front_doors.cookies import Cookies
from bluegreen.adapters.front_doors.flow import Baggage
from bluegreen.domain.checks import CheckResult, Given, Minted, Target
from bluegreen.domain.flows import Flow
from bluegreen.domain.words import GIVEN


@dataclass(frozen=True, slots=True)
class Tries:
    """`retries` further tries, `delay` seconds apart: of minting, and of each use."""

    retries: int = 0
    delay: float = 1.0


class FlowContinuity:
    """The Continuity port on flows. `scheme` is what users come by; `good_for` how many seconds what is minted holds
    at least (None: longer than any deployment). `after` gives it back."""

    def __init__(
        self,
        name: str,
        mint: Flow,
        use: Flow,
        after: Flow | None = None,
        *,
        gives: Given = Given.SESSION,
        good_for: float | None = None,
        scheme: str = "https",
        tries: Tries = Tries(),
    ) -> None:
        self._name, self._gives, self._good_for = name, gives, good_for
        self._mint, self._use, self._after = mint, use, after
        self._scheme, self._tries = scheme, tries

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._name

    @property
    def gives(self) -> Given:
        """What users are given."""
        return self._gives

    async def mint(self, target: Target) -> Minted | CheckResult:
        """Walk the steps of `mint` once, at the first address."""
        held = Baggage()

        async def once() -> Finding:
            nonlocal held
            held = Baggage()
            answer = await walked(self._mint, runs(self._mint, target, self._scheme)[0], target, held)
            return Finding(not answer.failure, in_words(answer) or "as expected", answer.steps)

        result = await self._ask(once)
        if not result.passed:
            return result
        values = {name: value for name, value in held.values.items() if name not in GIVEN}
        return Minted(
            self._name,
            target.colour,
            values,
            held.cookies.kept(),
            self._good_for,
            frozenset(held.hidden),
            result.steps,
        )

    async def use(self, minted: Minted, target: Target) -> CheckResult:
        """Walk the steps of `use` at every address, each time with all that was minted."""
        return await self._with(self._use, minted, target, self._tries)

    async def end(self, minted: Minted, target: Target) -> CheckResult | None:
        """Walk the steps of `after`, once."""
        return None if self._after is None else await self._with(self._after, minted, target, Tries(), first=True)

    async def _with(
        self, flow: Flow, minted: Minted, target: Target, tries: Tries, *, first: bool = False
    ) -> CheckResult:
        async def once() -> Finding:
            found = runs(flow, target, self._scheme)[: 1 if first else None]
            return finding([await walked(flow, run, target, _unpacked(minted)) for run in found])

        return await self._ask(once, tries)

    async def _ask(self, once: Callable[[], Awaitable[Finding]], tries: Tries | None = None) -> CheckResult:
        tries, began = tries or self._tries, monotonic()
        try:
            return await until_passed(self._name, once, tries.retries, tries.delay)
        except LookupError as exc:
            return CheckResult(self._name, False, str(exc.args[0]), monotonic() - began)


def _unpacked(minted: Minted) -> Baggage:
    """What was minted, for one run: what that run changes is its own."""
    return Baggage(dict(minted.values), Cookies.handed_on(minted.cookies), set(minted.hidden))
