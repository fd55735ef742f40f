"""Rule 8: whatever is tried, and whenever, the colour that users are on is never started, stopped or prepared; and its
live-only parts never leave it, nor run beside it."""

import ast
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.memory import Route
from bluegreen.app import environments
from bluegreen.app.boundaries import Boundary
from bluegreen.app.world import World
from bluegreen.domain.errors import (
    BalancerUnreachable,
    BluegreenError,
    DeploymentInProgress,
    LiveColourProtected,
    RouteNotFound,
)
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import CanaryStep, Release
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Runner
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

SOURCES = Path(environments.__file__).parents[1]
RELEASE = Release("1.1.0")

Verb = Callable[[World, Colour], Awaitable[object]]

VERBS: dict[str, Verb] = {
    "prepare": lambda world, colour: environments.prepare(world, colour, RELEASE),
    "start": lambda world, colour: environments.start(world, colour, RELEASE),
    "stop": environments.stop,
    "stop_slice": lambda world, colour: environments.stop_slice(world, colour, 0),
}
"""What touches a whole colour, or what serves in it."""

LOOKS = {"live_only", "slices", "logs", "parts"}
"""What anybody may ask of a runner."""

ALL_VERBS = {"prepare", "up", "down", "stop_slice"}


def test_every_verb_of_a_runner_is_known_here() -> None:
    assert {name for name in vars(Runner) if not name.startswith("_")} == LOOKS | ALL_VERBS


def test_the_only_ways_to_a_runner_go_through_the_guard() -> None:
    """Nobody else takes a runner into his hand: what is asked of one is asked of `runners[colour]` itself."""
    wrong = []
    for path in (*SOURCES.glob("app/*.py"), *SOURCES.glob("interfaces/**/*.py"), SOURCES / "daemon.py"):
        if path.name == "environments.py":
            continue
        tree = ast.parse(path.read_text())
        asked = {
            id(node.value.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Subscript) and node.attr in LOOKS
        }
        taken = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "runners"]
        wrong += [f"{path.relative_to(SOURCES)}:{node.lineno}" for node in taken if id(node) not in asked]
    assert wrong == []


def on(colour: Colour, service: str) -> Route:
    return Route(SERVICES[service].addresses[colour])


def split_by_others(outside: Outside) -> None:
    outside.balancer.routes["api"] = on(GREEN, "api")


def both_in_one_route(outside: Outside) -> None:
    web = SERVICES["web"].addresses
    outside.balancer.routes["web"] = Route(web[GREEN] + web[BLUE])


def unreadable(outside: Outside) -> None:
    outside.balancer.reachable = False


def route_gone(outside: Outside) -> None:
    del outside.balancer.routes["web"]


STATES: dict[str, tuple[Callable[[Outside], None], set[Colour]]] = {
    "users on blue": (lambda outside: None, {BLUE}),
    "services on different colours": (split_by_others, {BLUE, GREEN}),
    "one route dials both": (both_in_one_route, {BLUE, GREEN}),
    "the balancer does not answer": (unreadable, {BLUE, GREEN}),
    "a route is gone": (route_gone, {BLUE, GREEN}),
}
"""What the balancer says, and which colours must not be touched then."""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", STATES)
async def test_a_colour_that_users_may_be_on_is_not_touched(state: str, verb: str, outside: Outside) -> None:
    prepare, kept = STATES[state]
    outside.employ("mailer")
    prepare(outside)
    world = outside.world()
    for colour in kept:
        with pytest.raises(LiveColourProtected) as refused:
            await VERBS[verb](world, colour)
        assert str(colour) in refused.value.detail
        assert refused.value.next, "what to type stands with it"
        runner = outside.runners[colour]
        assert (runner.calls, runner.looked) == ([], [])
    for colour in set(Colour) - kept:
        await VERBS[verb](world, colour)


@pytest.mark.parametrize("state", STATES)
async def test_live_only_parts_start_where_all_users_are_and_stop_where_none_is(state: str, outside: Outside) -> None:
    prepare, kept = STATES[state]
    outside.employ("mailer")
    prepare(outside)
    world = outside.world()
    sure = kept == {BLUE}
    refused = []
    for colour in Colour:
        for call in (environments.start_live_only(world, colour, RELEASE), environments.stop_live_only(world, colour)):
            try:
                await call
            except LiveColourProtected:
                refused.append(colour)
    assert len(refused) == (2 if sure else 4)
    assert outside.runners[BLUE].calls == ([("up live-only", "1.1.0")] if sure else [])
    assert outside.runners[GREEN].calls == ([("down live-only", "")] if sure else [])


def worse(outside: Outside) -> None:
    outside.users.failing[GREEN] = 1.0


def canary(outside: Outside) -> None:
    outside.terms = replace(outside.terms, canary=(CanaryStep(0.1, 2.0),))


def fallback(outside: Outside) -> None:
    outside.terms = replace(outside.terms, fallback=True)


STORIES: dict[str, Callable[[Outside], None]] = {
    "good": lambda outside: None,
    "worse": worse,
    "canary": canary,
    "fallback": fallback,
}


@pytest.mark.parametrize("story", STORIES)
async def test_at_every_moment_of_a_deployment_every_verb_is_refused_on_the_live_colour(
    story: str, outside: Outside
) -> None:
    outside.employ("mailer")
    outside.change(window=3.0, standby=3.0, drain=1.0)
    STORIES[story](outside)
    seen: set[Phase] = set()
    daemons: list[Daemon] = []

    async def try_all(phase: Phase, boundary: Boundary) -> None:
        seen.add(phase)
        wrong = []
        for colour in outside.serving():
            for name, verb in VERBS.items():
                wrong += await _not_refused(verb(daemons[0].engine.world, colour), LiveColourProtected, name)
        service = daemons[0].service
        for colour in Colour:
            refusals = (DeploymentInProgress, LiveColourProtected)
            wrong += await _not_refused(service.start_colour(colour, "1.1.0", ANN), refusals, "env up")
            wrong += await _not_refused(service.stop_colour(colour, ANN), refusals, "env down")
            wrong += await _not_refused(service.take_over(colour, ANN, "so"), refusals, "env takeover")
        assert not wrong, f"{phase} {boundary}: {wrong}"

    outside.at_boundary = try_all
    async with running(outside) as daemon:
        daemons.append(daemon)
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is (Phase.REVERTED if story == "worse" else Phase.LIVE), ended.reason
    assert len(seen) > 10
    assert outside.broken == []


async def _not_refused(
    call: Awaitable[object], refusals: type[BluegreenError] | tuple[type[BluegreenError], ...], name: str
) -> list[str]:
    try:
        await call
    except refusals:
        return []
    return [name]


@pytest.mark.parametrize("error", [BalancerUnreachable, RouteNotFound])
async def test_nothing_is_prepared_while_nobody_knows_where_users_are(
    error: type[BluegreenError], outside: Outside
) -> None:
    world = outside.world()
    outside.balancer.reachable = error is not BalancerUnreachable
    if error is RouteNotFound:
        outside.balancer.routes.clear()
    with pytest.raises(LiveColourProtected, match="cannot be read"):
        await environments.prepare(world, GREEN, RELEASE)
    assert outside.runners[GREEN].looked == []
