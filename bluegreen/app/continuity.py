"""Whether users keep what they have: what one colour gave them must hold on the other, and after the migrations.

A release whose sessions the other colour does not accept logs everyone out at the switch, and again at a cutback; no
smoke check of one colour sees that. What is minted is secret: it lives in memory, as long as it is needed. After a
restart it is minted anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.checks import CheckResult, Given, Minted, Target
from bluegreen.domain.errors import StepFailed
from bluegreen.domain.traffic import Colour
from bluegreen.ports_stack import Continuity


@dataclass(frozen=True, slots=True)
class _Words:
    """How people speak of what users are given; `{of}` gave it, `{on}` does not take it."""

    given: str
    refused: str
    forward: str
    backward: str


WORDS = {
    Given.SESSION: _Words(
        "a session",
        "a session created on {of} is not valid on {on}",
        "everyone would be logged out by the switch",
        "whoever logged in on {of} would be logged out by a cutback",
    ),
    Given.TOKEN: _Words(
        "a token",
        "a token issued by {of} does not verify on {on}",
        "every client that holds one would be refused after the switch",
        "what {of} issued would be refused after a cutback",
    ),
}

NOT_GIVEN_BACK = "it could not be given back afterwards"

HINT = "compare the secrets of both colours: bluegreen env check"
"""The most frequent reason by far: a cookie secret or a signing key that is not the same."""


async def require_live(run: Run) -> None:
    """What the live colour gives holds there: else nothing could be tried with it. Raises StepFailed; nothing is tried
    where it is known to be down, and for a rollback."""
    if not run.deployment.plan.trusts_live:
        return
    lost = [text for check in run.world.continuity if (text := await _fresh(check, run.old_target))]
    if lost:
        raise StepFailed("; ".join(lost), next=(f"bluegreen env smoke {run.deployment.old} --continuity -v",))


async def require_across(run: Run) -> tuple[CheckResult, ...]:
    """Try both ways between the live colour and the new one. Raises StepFailed naming all that does not hold; nothing
    is tried where the live colour is known to be down, and for a rollback."""
    if not run.deployment.plan.trusts_live:
        return ()
    run.note("trying whether what one colour gives its users holds on the other")
    results = await across(run.world, run.old_target, run.new_target)
    failed = [result for result in results if not result.passed]
    if failed:
        by_hand = f"bluegreen env smoke {run.deployment.new} --continuity -v"
        raise StepFailed(
            "; ".join(f"{result.name}: {result.detail}" for result in failed), next=("bluegreen env check", by_hand)
        )
    for result in results:
        if NOT_GIVEN_BACK in result.detail:
            await run.warn(f"{result.name}: {result.detail}")
    return results


async def across(world: World, live: Target, idle: Target) -> tuple[CheckResult, ...]:
    """Each check both ways, one after the other; all are tried, also after a failure."""
    return tuple(
        [
            await _one_way(check, at, to, live.colour)
            for check in world.continuity
            for at, to in ((live, idle), (idle, live))
        ]
    )


async def mint_before(run: Run) -> None:
    """Before the schema changes: keep what the live colour gives now. Raises StepFailed where it gives nothing, which
    is to be known before anything is changed."""
    if not run.deployment.plan.trusts_live:
        return
    for check in (each for each in run.world.continuity if each.name not in run.minted):
        run.note(f"{check.name}: asking {run.deployment.old} for {WORDS[check.gives].given}")
        minted = await check.mint(run.old_target)
        if isinstance(minted, CheckResult):
            raise StepFailed(f"{check.name}: {_not_given(check, run.deployment.old)}: {minted.detail}")
        run.minted[check.name] = (minted, run.world.clock.monotonic())


async def still_holds(run: Run) -> str:
    """After the schema changed: why what the live colour gave before does not hold there any more; "" where it does."""
    if not run.deployment.plan.trusts_live:
        return ""
    lost = [text for check in run.world.continuity if (text := await _held(run, check))]
    return "; ".join(lost)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan says of it in TESTING, and at the end of PROVING; "" where nothing is configured."""

    testing: str = ""
    proving: str = ""
    does: bool = False


def planned(world: World, live: Colour, *, trusted: bool) -> Planned:
    """What will be tried. `trusted`: the live colour is taken to be well, and users may come back to it."""
    names = ", ".join(check.name for check in world.continuity)
    if not names:
        return Planned()
    if not trusted:
        return Planned(f"continuity is not tried ({names}), as {live} is left behind")
    return Planned(
        f"see that what {live} gives its users holds on {live.other}, and the reverse ({names})",
        f", and that what it gave them before still holds ({names})",
        does=True,
    )


def told(results: Iterable[CheckResult]) -> str:
    """What went well, in words; "" where nothing was tried."""
    names = list(dict.fromkeys(result.name for result in results))
    return f"both ways hold: {', '.join(names)}" if names else ""


async def _one_way(check: Continuity, at: Target, to: Target, live: Colour) -> CheckResult:
    """What one colour gives, used on the other, and given back."""
    minted = await check.mint(at)
    if isinstance(minted, CheckResult):
        return replace(minted, detail=f"{_not_given(check, at.colour)}: {minted.detail}")
    used = await check.use(minted, to)
    if not used.passed:
        used = replace(used, detail=await _why(check, minted, at, to, live, used))
    else:
        used = replace(used, detail=f"{WORDS[check.gives].given} of {at.colour} holds on {to.colour}")
    ended = await check.end(minted, at)
    seconds = used.seconds + (ended.seconds if ended else 0.0) + sum(step.seconds for step in minted.steps)
    kept = f"; {NOT_GIVEN_BACK}: {ended.detail}" if ended and not ended.passed else ""
    steps = (*minted.steps, *used.steps, *(ended.steps if ended else ()))
    return replace(used, detail=used.detail + kept, seconds=seconds, steps=steps)


async def _why(check: Continuity, minted: Minted, at: Target, to: Target, live: Colour, used: CheckResult) -> str:
    """What a use that failed means. What does not even hold where it was made is no matter of the other colour."""
    own = await check.use(minted, at)
    words = WORDS[check.gives]
    if not own.passed:
        return f"{words.given} of {at.colour} does not even hold on {at.colour}: {own.detail}"
    refused = words.refused.format(of=at.colour, on=to.colour)
    means = (words.forward if at.colour is live else words.backward).format(of=at.colour)
    return f"{refused}: {means}; {HINT} ({used.detail})"


async def _held(run: Run, check: Continuity) -> str:
    """Why what was had of the live colour before does not hold there now; it is given back in any case."""
    target, words = run.old_target, WORDS[check.gives]
    before, minted_at = run.minted.pop(check.name, (None, 0.0))
    if before is not None and not _is_over(before, run.world.clock.monotonic() - minted_at):
        result = await check.use(before, target)
        await check.end(before, target)
        gone = f"{words.given} that {target.colour} gave before is not valid there any more"
        return "" if result.passed else f"{check.name}: {gone}: {result.detail}"
    return await _fresh(check, target)


async def _fresh(check: Continuity, target: Target) -> str:
    """Why what a colour gives now does not hold there; "" where it does."""
    minted = await check.mint(target)
    if isinstance(minted, CheckResult):
        return f"{check.name}: {_not_given(check, target.colour)}: {minted.detail}"
    result = await check.use(minted, target)
    await check.end(minted, target)
    gone = f"{WORDS[check.gives].given} of {target.colour} is not valid there"
    return "" if result.passed else f"{check.name}: {gone}: {result.detail}"


def _is_over(minted: Minted, age: float) -> bool:
    """Whether it may have expired by itself."""
    return minted.good_for is not None and age >= minted.good_for


def _not_given(check: Continuity, colour: Colour) -> str:
    return f"{colour} gives no {WORDS[check.gives].given.removeprefix('a ')}"
