"""Whole deployments in mode "pointer": a switch is a rename, and Caddy's configuration is never touched by it."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import OutsideError
from bluegreen.processes import Ran, environment, run_command
from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.conftest import MakeYard
from tests.e2e.yard import FOUR, TWO, Yard, failed, until, until_async

SEEN_WITHIN = 8.0


async def test_a_good_release_goes_live_and_no_user_and_no_configuration_notices(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", sites=FOUR, window="2s")
    armed = await yard.caddy_says()
    async with yard.users(100, number=20) as got:
        await yard.heard()
        live = await yard.ended(await yard.deploy())
        await yard.asked(50)
    assert live.phase == "LIVE", live.reason
    assert failed(got) == []
    assert {each.colour for each in got} == {"blue", "green"}
    assert await yard.caddy_says() == armed
    assert yard.pointer.read_text().split()[0] == "green"
    told = (await yard.order("deployment", live.id)).facts
    print(f"\n{len(got)} requests, none lost; {told}")


async def test_a_bad_release_is_cut_back_and_costs_its_bad_answers_alone(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", sites=TWO)
    async with yard.users(60) as got:
        await yard.heard()
        back = await yard.ended(await yard.deploy("1.1.0-bad"))
        await yard.asked(30)
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    wrong = failed(got)
    print(f"\n{len(wrong)} bad answers of {len(got)}")
    assert {(each.status, each.colour) for each in wrong} == {(500, "green")}
    assert all(each.colour == "blue" for each in got[-20:])


@pytest.mark.parametrize(
    ("where", "end", "colour"),
    [
        ("SWITCHING:after-intent", ("REVERTED", "restarted-during-switch"), "blue"),
        ("SWITCHING:after-action", ("LIVE", None), "green"),
        ("REVERTING:after-action", ("REVERTED", "operator"), "blue"),
    ],
)
async def test_killed_around_the_rename_the_next_daemon_brings_it_to_its_end(
    where: str, end: tuple[str, str | None], colour: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode="pointer", window="1s" if end[0] == "LIVE" else "60s")
    await yard.kill_daemon()
    await yard.start_daemon(where)
    async with yard.users(60) as got:
        id = await yard.deploy()
        if where.startswith("REVERTING"):
            await yard.reached(id, "WATCHING")
            with suppress(Exception):  # it dies over it
                await yard.order("cutback", "looks odd")
        await yard.daemon_ended()
        await yard.start_daemon()
        done = await yard.ended(id)
        await yard.asked(20)
    assert (done.phase, done.cause) == end, done.reason
    assert await yard.colours() == {colour}
    assert failed(got) == []
    assert [file.name for file in yard.pointer.parent.iterdir() if file.name.startswith(".")] == [], "nothing is left"


async def test_without_the_daemon_and_with_the_admin_endpoint_hanging_users_go_back_by_the_card(
    make_yard: MakeYard, proxy: AdminProxy
) -> None:
    yard = await make_yard(mode="pointer", admin=proxy.url)
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    await yard.kill_daemon()
    proxy.mode = Mode.SWALLOW_ALL
    ran = await _offline(yard)
    assert ran.code == 0, ran.output
    assert await yard.colours() == {"blue"}
    proxy.mode = Mode.PASS
    await yard.start_daemon()
    back = await yard.ended(id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert await yard.colours() == {"blue"}


def _gone(pointer: Path) -> None:
    pointer.unlink()


def _emptied(pointer: Path) -> None:
    pointer.write_text("")


def _foreign(pointer: Path) -> None:
    pointer.write_text("mauve g7\n")


def _by_hand(pointer: Path) -> None:
    pointer.write_text("blue\n")


@pytest.mark.parametrize("befall", [_gone, _foreign, _by_hand], ids=lambda do: do.__name__)
async def test_while_watching_a_file_that_does_not_lead_to_the_new_colour_means_the_old_one(
    befall: Callable[[Path], None], make_yard: MakeYard
) -> None:
    yard = await make_yard(mode="pointer", sites=TWO)
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    async with yard.users(60) as got:
        await yard.asked(20)
        befall(yard.pointer)
        befallen = monotonic()
        back = await yard.ended(id)
        print(f"\nback after {monotonic() - befallen:.2f} s")
        await yard.asked(20)
    assert (back.phase, back.cause) == ("REVERTED", "moved-outside"), back.reason
    assert failed(got) == [], "whoever is alive answers meanwhile"
    assert await yard.colours() == {"blue"}
    assert yard.pointer.read_text().startswith("blue g")


async def test_while_nothing_runs_such_a_file_is_told_with_what_to_type_and_users_are_served(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="pointer", sites=TWO)
    async with yard.users(60) as got:
        for befall in (_gone, _emptied, _foreign):
            before = len(_drifts(yard))
            befall(yard.pointer)
            await until(lambda before=before: len(_drifts(yard)) > before, SEEN_WITHIN, "people are told")  # type: ignore[misc]
            assert f"Next: echo blue > {yard.pointer}" in _drifts(yard)[-1]
            assert str(yard.pointer) in await yard.status()
            yard.pointer.write_text("blue\n")
            await until_async(lambda: _calm(yard), SEEN_WITHIN, "all is as wanted")
            await yard.asked(20)
    assert failed(got) == []
    assert {each.colour for each in got} == {"blue"}, "and by the colour that served before"


def _drifts(yard: Yard) -> list[str]:
    return [message["text"] for message in yard.messages() if message["event"] == "traffic.drifted"]


async def test_a_person_who_writes_the_colour_that_serves_changes_nothing(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", window="3s")
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    yard.pointer.write_text("green")
    live = await yard.ended(id)
    assert live.phase == "LIVE", live.reason
    assert await yard.colours() == {"green"}


async def test_c03_from_a_caddyfile_that_holds_the_arms_a_kill_and_a_reload_keep_the_colour_and_the_watch(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="pointer", sites=TWO, window="6s", snippets=False)
    await yard.keep_arms()
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    async with yard.users(30) as got:
        await yard.caddy.reload(yard.caddyfile)
        await yard.asked(20)
        assert {each.colour for each in got[-10:]} == {"green"}
    await yard.caddy.kill()
    await yard.caddy.start(yard.caddyfile)
    assert await yard.colours() == {"green"}
    live = await yard.ended(id)
    assert live.phase == "LIVE", f"{live.reason}\n{yard.said()}"
    assert await yard.colours() == {"green"}


NOBODY = 65534


async def test_a_directory_that_is_closed_to_caddy_is_named_by_the_doctor_and_refused_in_preparing(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caddy would serve every user from its last arm, without a word, and no switch would move any of them."""
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig", "TERM", "--"]
    try:
        reached = (
            await run_command([*as_nobody, str(caddy_binary()), "version"], timeout=20.0, env=environment())
        ).code
    except (EmbeddedFailed, OutsideError) as exc:
        pytest.skip(str(exc))
    if os.geteuid() != 0 or reached != 0:
        pytest.skip("needs root, setpriv, and a Caddy that others can run")
    monkeypatch.setattr("bluegreen.demo.caddy.dying_with_us", lambda _: as_nobody)
    yard = Yard(short_directory, mode="pointer", snippets=False)
    yard.caddy = EmbeddedCaddy(short_directory / "caddy", f"http://127.0.0.1:{free_ports(1)[0]}")
    short_directory.chmod(0o711)
    yard.caddy.directory.mkdir()
    (short_directory / "access.log").touch()
    for path in (yard.caddy.directory, short_directory / "access.log"):
        os.chown(path, NOBODY, NOBODY)
    async with yard.running():
        yard.pointer.parent.chmod(0o700)
        found = await yard.cli("doctor", "--config", str(yard.config))
        assert found.code == 1, found.output
        assert f"chmod 0755 {yard.pointer.parent}" in found.output
        refused = await yard.ended(await yard.deploy())
        assert (refused.phase, refused.path) == ("ABANDONED", ("PREPARING", "ABANDONED")), refused.reason
        assert f"does not follow {yard.pointer}" in refused.reason
        assert await yard.colours() == {"blue"}
        yard.pointer.parent.chmod(0o755)
        await yard.reached(await yard.deploy("1.1.2"), "WATCHING")
        assert await yard.colours() == {"green"}


async def test_disarmed_it_is_the_operators_own_configuration_again(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", sites=TWO)
    ran = await yard.cli("caddy", "disarm", "-y")
    assert ran.code == 0, ran.output
    disarmed = await yard.caddy_says()
    await yard.caddy.restart()
    assert disarmed == await yard.caddy_says()
    async with asyncio.timeout(30.0):
        refused = await yard.cli("deploy", "1.1.0", "-y", "--no-watch")
        if refused.code == 0:
            refused = await yard.cli("watch")
    assert refused.code != 0
    assert "bluegreen caddy arm" in refused.output
    await yard.arm()
    await yard.reached(await yard.deploy("1.1.2"), "WATCHING")
    assert await yard.colours() == {"green"}


async def test_arms_that_know_nothing_of_a_new_wish_are_refused_armed_again_and_still_know_what_stood_there(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="pointer", sites=TWO, canary='cookie_domain = "olympus.test"')
    await yard.kill_daemon()
    text = yard.config.read_text()
    yard.config.write_text(text.replace("[canary]\n", '[canary]\nsteps = ["5% 1h"]\n', 1))
    await yard.start_daemon()
    refused = await yard.ended(await yard.deploy())
    assert (refused.phase, refused.path) == ("ABANDONED", ("PREPARING", "ABANDONED")), refused.reason
    assert "bluegreen caddy arm" in str(refused.next)
    async with yard.users(60) as got:
        await yard.asked(20)
        await yard.arm()
        await yard.asked(20)
    assert {each.colour for each in got if each.good} == {"blue"}, "arming is a reload: it may cost, and moves nobody"
    id = await yard.deploy("1.1.2")
    await until_async(lambda: _says(yard, "5 % of the users on green"), 20.0, "the step serves")
    await yard.order("abort", id, "seen")
    assert (await yard.ended(id)).phase == "REVERTED"
    assert (await yard.cli("caddy", "disarm", "-y")).code == 0
    disarmed = await yard.caddy_says()
    await yard.caddy.restart()
    assert disarmed == await yard.caddy_says()


async def _says(yard: Yard, words: str) -> bool:
    return words in await yard.status()


async def _offline(yard: Yard) -> Ran:
    argv = [sys.executable, "-m", "bluegreen", "cutback", "--offline", "--config", str(yard.config), "--reason", "odd"]
    return await run_command(argv, timeout=60.0, env=environment({"PYTHONPATH": ":".join(sys.path)}))


async def _calm(yard: Yard) -> bool:
    return "nothing is moving" in await yard.status()
