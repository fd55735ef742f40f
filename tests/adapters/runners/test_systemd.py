"""The systemd runner: what it asks of systemd, in which order, and what it makes of the answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.adapters.runners.systemd import SystemdRunner
from bluegreen.adapters.runners.systemd_environment import remembered, remembering, text_of
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import PartState
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from tests.adapters.runners.units import Played, Units
from tests.adapters.waiting import LONG

FILE = "/var/lib/bluegreen/green.env"
LIVE_ONLY = f"{FILE}.live-only"
KRATOS, WEB, WORKER = "kratos@green.service", "web@green.service", "worker@green.service"
V1, V2 = Release("1.1.0"), Release("1.2.0")


@pytest.fixture
def host() -> Units:
    return Units(units={KRATOS: Played(FILE), WEB: Played(FILE), WORKER: Played(LIVE_ONLY)})


def green(host: Units, **options: object) -> SystemdRunner:
    arguments = {"environment_file": Path(FILE), "timeout": LONG, "settles": 0.0} | options
    return SystemdRunner(Colour.GREEN, [KRATOS, WEB], [WORKER], host=host, **arguments)  # type: ignore[arg-type]


async def test_units_start_in_their_order_and_stop_in_the_reverse_one(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    assert host.asked == [("start", KRATOS), ("start", WEB)]
    await runner.up(V1, live_only=True)
    host.asked.clear()
    await runner.down()
    assert host.asked == [("stop", WORKER), ("stop", WEB), ("stop", KRATOS)]


async def test_live_only_units_come_and_go_by_themselves(host: Units) -> None:
    runner = green(host)
    assert runner.live_only == (WORKER,)
    await runner.up(V1)
    assert host.units[WORKER].state == "inactive"
    await runner.up(V1, live_only=True)
    assert host.units[WORKER].release == "1.1.0"
    await runner.down(live_only=True)
    assert (host.units[WORKER].state, host.units[WEB].state) == ("inactive", "active")


async def test_the_release_that_runs_is_not_started_again_and_another_one_is(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    host.asked.clear()
    assert await runner.up(V1) == "1.1.0 runs already\n"
    assert host.asked == []
    await runner.up(V2)
    assert host.asked == [("stop", WEB), ("stop", KRATOS), ("start", KRATOS), ("start", WEB)]
    assert {host.units[name].release for name in (KRATOS, WEB)} == {"1.2.0"}


async def test_a_unit_that_somebody_restarted_or_that_died_is_started_again_alone(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    host.units[WEB].invocation = "f" * 32
    host.asked.clear()
    await runner.up(V1)
    assert host.asked == [("stop", WEB), ("start", WEB)]


async def test_a_daemon_killed_between_the_file_and_the_start_starts_all_the_same(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    host.files[FILE] = text_of(Colour.GREEN, V2, {}).encode()
    await runner.up(V2)
    assert {host.units[name].release for name in (KRATOS, WEB)} == {"1.2.0"}


async def test_without_a_file_all_is_started_anew_each_time(host: Units) -> None:
    runner = green(host, environment_file=None)
    for _ in range(2):
        host.asked.clear()
        await runner.up(V1)
        assert [unit for verb, unit in host.asked if verb == "start"] == [KRATOS, WEB]
    assert host.files == {}


async def test_a_colour_at_rest_has_empty_files_so_that_a_boot_starts_nothing(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    await runner.up(V1, live_only=True)
    assert host.files[FILE]
    assert host.files[LIVE_ONLY]
    await runner.down(live_only=True)
    assert host.files[FILE]
    assert not host.files[LIVE_ONLY]
    await runner.down()
    assert not host.files[FILE]


def _mask(unit: Played) -> None:
    unit.load = "masked"


@pytest.mark.parametrize(
    ("goes", "reason"),
    [
        ("fails", r"web@green.service failed \(Result=exit-code, exit status 3\)"),
        ("loops", "web@green.service ends and is started again and again"),
        ("exits", "web@green.service does not run: it ended by itself, or a Condition of the unit does not hold"),
        ("refused", "systemd does not let .* start web@green.service"),
        ("hangs", "web@green.service did not start: systemctl did not end within"),
    ],
)
async def test_a_unit_that_does_not_come_up_is_told_with_its_last_words(host: Units, goes: str, reason: str) -> None:
    host.units[WEB].goes, host.journal = goes, "line 1\nno such \x1b[31mimage"
    with pytest.raises(RunnerFailed, match=f"`up` of green failed: {reason}") as caught:
        await green(host, timeout=0.3 if goes == "hangs" else LONG).up(V1)
    if goes != "refused":
        assert r"no such \x1b[31mimage" in caught.value.detail
        assert caught.value.next == ("systemctl status web@green.service",)
    if goes == "hangs":
        assert host.units[WEB].state == "inactive", "nothing comes up later by itself"


async def test_a_unit_that_does_its_work_and_ends_is_no_failure(host: Units) -> None:
    host.units[KRATOS].type, host.units[KRATOS].goes = "oneshot", "exits"
    await green(host).up(V1)
    states = [part.state for part in await green(host).parts()]
    assert states == [PartState.STOPPED, PartState.RUNNING, PartState.STOPPED]


async def test_a_failed_unit_is_forgotten_before_it_is_started_and_when_it_is_stopped(host: Units) -> None:
    host.units[WEB].goes = "fails"
    runner = green(host)
    with pytest.raises(RunnerFailed):
        await runner.up(V1)
    host.units[WEB].goes = "fine"
    await runner.up(V1)
    assert ("reset-failed", WEB) in host.asked
    host.units[WEB].state = "failed"
    await runner.down()
    assert host.units[WEB].state == "inactive"


async def test_a_stop_tries_every_unit_and_tells_of_the_one_that_runs_on(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    host.units[WEB].stays = "refused"
    with pytest.raises(RunnerFailed, match=r"`down` of green failed: systemd does not let .* stop web@green"):
        await runner.down()
    assert host.units[KRATOS].state == "inactive"
    assert host.files[FILE], "its file goes only when all of it rests"


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        pytest.param(lambda host: host.units.pop(WEB), "there is no unit web@green.service", id="missing"),
        pytest.param(lambda host: _mask(host.units[WEB]), "web@green.service is masked", id="masked"),
        pytest.param(lambda host: setattr(host.units[WEB], "stale", True), "was changed on disk", id="stale"),
        pytest.param(lambda host: setattr(host.units[WEB], "stays", "refused"), "polkit", id="polkit"),
        pytest.param(lambda host: setattr(host.units[WORKER], "file", FILE), "none of worker@green", id="file-unread"),
        pytest.param(lambda host: setattr(host, "writable", False), "cannot be written", id="file-unwritable"),
    ],
)
async def test_what_is_missing_is_said_before_anything_starts(
    host: Units, breaks: Callable[[Units], object], reason: str
) -> None:
    assert "kratos@green.service is there" in await green(host).prepare(V1)
    breaks(host)
    with pytest.raises(RunnerFailed, match=f"`prepare` of green failed: .*{reason}") as caught:
        await green(host).prepare(V1)
    assert caught.value.next
    assert [verb for verb, _ in host.asked if verb != "stop"] == []


async def test_to_prepare_stops_nothing_that_runs(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    host.asked.clear()
    await runner.prepare(V1)
    assert host.asked == [("stop", WORKER)]


async def test_parts_tell_what_systemd_knows(host: Units) -> None:
    runner = green(host)
    await runner.up(V1)
    host.units[WEB].goes = "loops"
    host.units[WEB].state, host.units[WEB].sub, host.units[WEB].restarts = "activating", "auto-restart", 4
    kratos, web, worker = await runner.parts()
    assert (kratos.name, kratos.state, kratos.detail) == (KRATOS, PartState.RUNNING, "")
    assert kratos.started_at is not None
    assert kratos.started_at.isoformat() == "2026-11-22T03:29:47+00:00"
    assert kratos.properties["main_pid"] == "222"
    assert kratos.properties["unit_file"] == f"/etc/systemd/system/{KRATOS}"
    assert (web.state, web.properties["restarts"]) == (PartState.FAILED, "4")
    assert worker.state is PartState.STOPPED


async def test_no_other_unit_is_ever_named(host: Units) -> None:
    runner = green(host)
    for call in (runner.prepare(V1), runner.up(V1), runner.up(V1, live_only=True), runner.parts(), runner.down()):
        await call
    named = {word for argv in host.programs for word in argv if word.endswith(".service")}
    assert named == {KRATOS, WEB, WORKER}
    assert all("--" in argv for argv in host.programs if argv[0] == "systemctl")


async def test_logs_are_the_journal_of_all_units_or_the_command_for_them(host: Units) -> None:
    assert (await green(host).logs(3)).splitlines() == ["497", "498", "499"]
    assert await green(host, logs=["tail", "{colour}.log"]).logs(3) == "tail green.log"
    host.journal_code = 1
    with pytest.raises(RunnerFailed, match=r"the journal of its units cannot be read: .*systemd-journal"):
        await green(host).logs(3)


async def test_units_of_the_user_are_asked_of_the_users_systemd(host: Units) -> None:
    await green(host, user=True).up(V1)
    asked = [argv for argv in host.programs if "systemctl" in argv]
    assert all(argv[:2] == ("sh", "-c") and "--user" in argv and "XDG_RUNTIME_DIR" in argv[2] for argv in asked)


def test_the_file_holds_all_that_a_release_brings_and_later_ones_win() -> None:
    release = Release(
        "1.2.0", {"LEVEL": 'a"b$c\\d`e', "TEXT": "two\nlines", "RELEASE": "x"}, images={"hydra-ui": "u@sha256:1"}
    )
    text = text_of(Colour.GREEN, release, {"LEVEL": "info", "OWN": "1"})
    for line in (
        'LEVEL="a\\"b\\$c\\\\d\\`e"',
        'TEXT="two\nlines"',
        'RELEASE="1.2.0"',
        'OWN="1"',
        'HYDRA_UI_IMAGE="u@sha256:1"',
    ):
        assert f"{line}\n" in text
    runs = {"app@green.service": "0" * 31 + "1"}
    assert remembered(remembering(text, runs)) == (text, runs)
    assert remembered(text) == (text, {})


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (Release("1 2"), "its version must be"),
        (Release("1", {"LD_PRELOAD": "x"}), "'LD_PRELOAD' is no name for a variable"),
        (Release("1", {"A-B": "x"}), "'A-B' is no name"),
        (Release("1", {"A": "x\r"}), "the value of A holds a control character"),
    ],
)
async def test_what_systemd_would_not_take_in_is_refused_and_nothing_is_started(
    host: Units, release: Release, why: str
) -> None:
    with pytest.raises(RunnerFailed, match=why):
        await green(host).up(release)
    assert (host.asked, host.files) == ([], {})
