"""CANARYING on real parts, in both modes: shares of the users meet the new colour, each user one colour everywhere.

A login flow goes over two hosts here, as that of an identity provider and a shop; who its user is, a cookie jar decides
as a browser's does.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

import aiohttp
import pytest

from bluegreen.domain.deployments import Deployment
from tests.e2e.conftest import MakeYard
from tests.e2e.yard import FINAL, FOUR, MODES, TWO, Got, Yard, failed, until, until_async

DOMAIN = 'cookie_domain = "olympus.test"'
HELD = f'steps = ["5% 3s", "25% 1h"]\n{DOMAIN}'
QUICK = f'steps = ["10% 1500ms", "50% 1500ms"]\n{DOMAIN}'
ONE_STEP = f'steps = ["25% 1h"]\n{DOMAIN}'
SECRET = "a-secret-that-nobody-guesses"
PREVIEW = f'{ONE_STEP}\npreview = "{SECRET}"'
FLOW = (("id", "/login"), ("shop", "/basket"), ("id", "/consent"), ("shop", "/pay"))
FLOW_OVER_FOUR = (("id", "/login"), ("api", "/me"), ("shop", "/basket"), ("files", "/avatar"), ("shop", "/pay"))
SIGMAS = 5.0
"""Of the binomial distribution: one run in millions is further off."""


@dataclass
class Browser:
    """One user: a cookie jar, and what was got in each flow."""

    session: aiohttp.ClientSession
    flows: list[list[Got]] = field(default_factory=list)

    async def walk(self, yard: Yard, flow: Sequence[tuple[str, str]] = FLOW) -> None:
        """One login flow."""
        self.flows.append([])
        for service, path in flow:
            self.flows[-1].append(await yard.ask(self.session, service, path))

    @property
    def now(self) -> str | None:
        """The colour of the last answer."""
        return self.flows[-1][-1].colour

    @property
    def met(self) -> list[str]:
        """The colours in the order in which they were met, over all services; what was lost met none."""
        return [got.colour for flow in self.flows for got in flow if got.colour]


class Browsers(list[Browser]):
    """Users with cookie jars of their own."""

    @classmethod
    def of(cls, yard: Yard, number: int) -> "Browsers":
        """So many; close them."""
        return cls(Browser(yard.client(aiohttp.CookieJar())) for _ in range(number))

    async def walk(self, yard: Yard, flow: Sequence[tuple[str, str]] = FLOW) -> None:
        """All walk the flow, some of them at a time."""
        gate = asyncio.Semaphore(20)

        async def one(browser: Browser) -> None:
            async with gate:
                await browser.walk(yard, flow)

        async with asyncio.TaskGroup() as group:
            for number, browser in enumerate(self):
                group.create_task(one(browser), name=f"browser {number}")

    async def close(self) -> None:
        """All leave."""
        for browser in self:
            await browser.session.close()

    def new(self) -> set[int]:
        """Who met green in the last flow."""
        return {number for number, browser in enumerate(self) if browser.now == "green"}


def sane(seen: int, number: int, share: float) -> bool:
    """Whether so many of so many are what this share brings."""
    return abs(seen - number * share) <= SIGMAS * sqrt(number * share * (1 - share))


@pytest.mark.parametrize("mode", MODES)
async def test_c18_a_user_meets_one_colour_over_two_hosts_and_keeps_it_in_the_next_step(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=TWO, canary=HELD)
    people = Browsers.of(yard, 240)
    try:
        await people.walk(yard)
        assert people.new() == set(), "before the canary nobody meets green"
        assert not any(cookie.key == "bluegreen" for cookie in people[0].session.cookie_jar)
        id = await yard.deploy()
        await _share(yard, id, 0.05)
        await yard.order("pause", "to look at it", 600.0)  # the step is held
        for _ in range(2):
            await people.walk(yard)
        early = people.new()
        _one_colour_in_each_flow(people, since=1)
        assert {got.colour for browser in people for got in browser.flows[1]} == {"blue", "green"}
        assert all(a.now == b for a, b in ((browser, browser.flows[1][0].colour) for browser in people))
        assert sane(len(early), len(people), 0.05), f"{len(early)} of {len(people)} at 5 %"
        session = next(cookie for cookie in people[0].session.cookie_jar if cookie.key == "session")
        assert session["domain"] == "id.olympus.test", "the application's own cookie is its own"

        await yard.order("resume", "seen")
        await _share(yard, id, 0.25)
        await people.walk(yard)
        _one_colour_in_each_flow(people, since=3)
        assert early <= people.new(), "who met green at 5 % meets it at 25 %"
        assert sane(len(people.new()), len(people), 0.25), f"{len(people.new())} of {len(people)} at 25 %"
        assert not [got for browser in people for flow in browser.flows for got in failed(flow)]

        await yard.order("abort", id, "seen enough")
        back = await yard.ended(id)
        assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
        await people.walk(yard)
        assert people.new() == set()
    finally:
        await people.close()


async def test_c18_a_cookie_that_somebody_made_up_is_no_cookie(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", sites=TWO, canary=ONE_STEP)
    id = await yard.deploy()
    await _share(yard, id, 0.25)
    async with yard.client() as session:
        for place, colour in (("000", "green"), ("3ff", "green"), ("400", "blue"), ("fff", "blue")):
            for service in TWO:
                got = await yard.ask(session, service, headers={"Cookie": f"bluegreen={place}"})
                assert (got.status, got.colour) == (200, colour), place
        for nonsense in ("green", "0", "00000", "ZZZ", "", "../../etc", "'\";--"):
            async with session.post(yard.url("id", "/page"), headers={"Cookie": f"bluegreen={nonsense}"}) as answer:
                assert answer.status == 200, nonsense
                assert "bluegreen" in answer.cookies, f"{nonsense}: a place was drawn"


@pytest.mark.parametrize("mode", MODES)
async def test_c18_four_services_move_at_once_for_each_user_in_the_switch_and_back(
    mode: str, make_yard: MakeYard
) -> None:
    """Who met green at one service never meets blue at another one, until all go back."""
    yard = await make_yard(mode=mode, sites=FOUR)
    people = Browsers.of(yard, 12)

    async def walk_on(browser: Browser) -> None:
        while True:
            await browser.walk(yard, FLOW_OVER_FOUR)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(walk_on(browser), name=f"browser {n}") for n, browser in enumerate(people)]
            id = await yard.deploy()
            await yard.reached(id, "WATCHING")
            await _walked(people, 3)
            await yard.order("cutback", "to see them go back")
            await yard.ended(id)
            await _walked(people, 3)
            for task in tasks:
                task.cancel()
    finally:
        await people.close()
    mixed = [
        path
        for browser in people
        if (path := [colour for colour, next in pairwise([*browser.met, "end"]) if colour != next])
        not in (["blue"], ["blue", "green", "blue"])
    ]
    lost = sum(len(failed(flow)) for browser in people for flow in browser.flows)
    print(f"\n{mode}: {sum(len(b.met) for b in people)} requests of {len(people)} users, {lost} lost, mixed: {mixed}")
    assert not mixed
    assert mode == "rewrite" or not lost


@pytest.mark.parametrize("mode", MODES)
async def test_a_good_release_walks_all_steps_and_goes_live(mode: str, make_yard: MakeYard) -> None:
    yard = await make_yard(mode=mode, sites=TWO, canary=QUICK, window="1s")
    async with yard.users(60):
        await yard.heard()
        live = await yard.ended(id := await yard.deploy())
        await yard.asked(20)
    assert live.phase == "LIVE", live.reason
    told = [(event.name, event.facts.get("share")) for event in await yard.events(id)]
    assert [share for name, share in told if name == "traffic.split"] == [0.1, 0.5]
    assert await yard.colours() == {"green"}
    if mode == "pointer":
        assert failed(yard.got) == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_release_that_fails_the_users_of_its_share_is_cut_back_from_the_canary(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=TWO, canary=ONE_STEP)
    async with yard.users(80):
        await yard.heard(400)
        back = await yard.ended(id := await yard.deploy("1.1.0-bad"))
        await yard.asked(40)
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    assert "SWITCHING" not in back.path
    bad = [got for got in yard.got if got.status == 500]
    print(f"\n{mode}: {len(bad)} bad answers of {len(yard.got)}")
    assert 0 < len(bad) < 60
    assert {got.colour for got in bad} == {"green"}
    assert all(got.good for got in yard.got[-30:])
    assert [event for event in await yard.events(id) if event.name == "traffic.split"]


@pytest.mark.parametrize("mode", MODES)
async def test_killed_in_a_step_the_next_daemon_goes_on_with_it_and_promote_full_ends_it(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=TWO, canary=ONE_STEP, window="1s")
    people = Browsers.of(yard, 60)
    try:
        id = await yard.deploy()
        await _share(yard, id, 0.25)
        await people.walk(yard)
        before = people.new()
        assert before
        await yard.kill_daemon()
        await people.walk(yard)
        await yard.start_daemon()
        now = await _share(yard, id, 0.25)
        assert now.attempt == 2
        await people.walk(yard)
        assert people.new() == before
        _one_colour_in_each_flow(people, since=0)
        await yard.order("promote", id, "we saw enough", full=True)
        await yard.reached(id, "WATCHING", "STANDING_BY", "LIVE")
        await people.walk(yard)
        assert len(people.new()) == len(people)
        live = await yard.ended(id)
        assert live.phase == "LIVE", live.reason
    finally:
        await people.close()


@pytest.mark.parametrize(
    ("mode", "where", "end"),
    [("pointer", "after-action", "CANARYING"), ("rewrite", "after-intent", "REVERTED")],
    ids=lambda value: value,
)
async def test_killed_around_the_first_share_it_goes_on_where_it_took_effect_and_back_where_nobody_knows(
    mode: str, where: str, end: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=TWO, canary=ONE_STEP)
    await yard.kill_daemon()
    await yard.start_daemon(f"CANARYING:{where}")
    id = await yard.deploy()
    await yard.daemon_ended()
    await yard.start_daemon()
    if end == "CANARYING":
        await _share(yard, id, 0.25)
        assert await yard.colours(headers={"Cookie": "bluegreen=000"}) == {"green"}
        await yard.order("abort", id, "seen")
    back = await yard.ended(id)
    assert back.phase == "REVERTED", back.reason
    assert await yard.colours(headers={"Cookie": "bluegreen=000"}) == {"blue"}


@pytest.mark.parametrize("mode", MODES)
async def test_the_preview_reaches_the_idle_colour_before_promotion_and_nobody_else_does(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=TWO, canary=PREVIEW, auto=False, window="1s")
    id = await yard.deploy()
    await yard.reached(id, "AWAITING")
    await until(lambda: "is ready on green" in str(yard.messages()), 10.0, "people are told to promote it")
    assert "Bluegreen-Preview" in str(yard.messages())
    await _preview_reaches_green(yard)
    assert await yard.colours() == {"blue"}
    shown = await yard.cli("-o", "json", "status")
    assert SECRET not in shown.output + (yard.directory / "daemon.log").read_text() + await yard.status()
    await yard.order("promote", id)
    await _share(yard, id, 0.25)
    await _preview_reaches_green(yard)
    await yard.order("promote", id, "seen", full=True)
    live = await yard.ended(id)
    assert live.phase == "LIVE", live.reason
    assert await yard.colours() == {"green"}


async def test_killed_right_after_the_write_that_brings_the_preview_the_gate_is_run_again_and_users_stay(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="rewrite", sites=TWO, canary=PREVIEW, auto=False, window="1s")
    await yard.kill_daemon()
    await yard.start_daemon("AWAITING:after-action")
    id = await yard.deploy()
    await yard.daemon_ended()
    assert await yard.colours() == {"blue"}
    await yard.start_daemon()
    await yard.reached(id, "AWAITING")
    await until(lambda: "is ready on green" in str(yard.messages()), 10.0, "people are told to promote it")
    await _preview_reaches_green(yard)
    await yard.caddy.reload(yard.caddyfile)

    async def again() -> bool:
        return await yard.colours(headers={"Bluegreen-Preview": SECRET}) == {"green"}

    await until_async(again, 30.0, "the preview stands again after a reload of Caddy")
    assert await yard.colours() == {"blue"}
    assert [w for w in (await yard.order("deployment", id)).warnings if "preview" in w] == []
    await yard.order("promote", id, "seen", full=True)
    live = await yard.ended(id)
    assert live.phase == "LIVE", live.reason


@pytest.mark.parametrize("mode", MODES)
async def test_a_bad_release_that_is_only_previewed_is_nobodys_bad_answer(mode: str, make_yard: MakeYard) -> None:
    yard = await make_yard(mode=mode, canary=PREVIEW, auto=False)
    async with yard.users(40) as got, yard.client() as session:
        await yard.heard()
        id = await yard.deploy("1.1.0-bad")
        await yard.reached(id, "AWAITING")
        await until(lambda: "is ready on green" in str(yard.messages()), 10.0, "people are told to promote it")
        seen = [await yard.ask(session, "web", headers={"Bluegreen-Preview": SECRET}) for _ in range(40)]
        assert {(each.status, each.colour) for each in seen} == {(500, "green")}
        await yard.asked(40)
        assert (await yard.order("deployment", id)).phase == "AWAITING"
        assert {each.colour for each in got if each.status} == {"blue"}
        assert [each for each in failed(got) if each.status or mode == "pointer"] == [], "a load of Caddy may lose some"
        counted = await yard.counted("5xx")
    assert counted.get("green", 0) == 0


async def _preview_reaches_green(yard: Yard) -> None:
    """With the secret, and for nobody else: not even for who keeps a place that meets green last."""
    last = "bluegreen=fff"
    assert await yard.colours(headers={"Bluegreen-Preview": SECRET, "Cookie": last}) == {"green"}
    assert await yard.colours(headers={"Cookie": f"{last}; bluegreen_preview={SECRET}"}) == {"green"}
    for wrong in ("wrong", SECRET + "x", SECRET[:-1], SECRET.upper(), ""):
        assert await yard.colours(headers={"Bluegreen-Preview": wrong, "Cookie": last}) == {"blue"}, wrong
        assert await yard.colours(headers={"Cookie": f"{last}; bluegreen_preview={wrong}"}) == {"blue"}, wrong


async def test_a_reload_in_the_middle_of_a_step_moves_no_user_where_the_caddyfile_holds_the_arms(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="pointer", sites=TWO, canary=ONE_STEP, snippets=False)
    await yard.keep_arms()
    people = Browsers.of(yard, 40)
    try:
        id = await yard.deploy()
        await _share(yard, id, 0.25)
        await people.walk(yard)
        before = people.new()
        await yard.caddy.reload(yard.stale("blue"))
        await yard.caddy.reload(yard.caddyfile)
        await people.walk(yard)
        assert people.new() == before
    finally:
        await people.close()


async def _share(yard: Yard, id: str, share: float) -> Deployment:
    """Return when so many of the users meet the new colour, proved."""

    async def so() -> bool:
        now = await yard.order("deployment", id)
        assert now.phase not in FINAL, f"{now.reason}\n{yard.said()}"
        shares = [event.facts["share"] for event in await yard.events(id) if event.name == "traffic.split"]
        return now.phase == "CANARYING" and shares[-1:] == [share]

    await until_async(so, 30.0, f"{share:.0%} meet the new colour")
    found: Deployment = await yard.order("deployment", id)
    return found


async def _walked(people: Browsers, flows: int) -> None:
    wanted = [len(browser.flows) + flows for browser in people]
    await until(
        lambda: all(len(browser.flows) > least for browser, least in zip(people, wanted, strict=True)),
        30.0,
        "all walk their flows",
    )


def _one_colour_in_each_flow(people: Browsers, since: int) -> None:
    mixed = [
        [got.colour for got in flow]
        for browser in people
        for flow in browser.flows[since:]
        if len({got.colour for got in flow}) != 1
    ]
    assert mixed == []
