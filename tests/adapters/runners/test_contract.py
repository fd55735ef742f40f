"""What every runner does, whatever it starts."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.adapters.runners.memory import MemoryRunner
from bluegreen.adapters.runners.systemd import SystemdRunner
from bluegreen.demo.children import Child
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Host
from bluegreen.ports import Runner
from tests.adapters.runners.engines import Engine
from tests.adapters.runners.units import Played, Units
from tests.adapters.waiting import LONG, until
from tests.fake_ssh import fake

UP = """
set -e
[ ! -e {d}/fail-up ] || {{ echo 'no such image'; exit 1; }}
[ ! -e {d}/hang-up ] || {{ echo hanging; sleep 300; }}
if [ "$(cat {d}/running 2>/dev/null)" != "$0" ]; then
    kill "$(cat {d}/pid 2>/dev/null)" 2>/dev/null || true
    setsid sleep 300 </dev/null >/dev/null 2>&1 &
    echo $! > {d}/pid
    echo "$0" > {d}/running
fi
echo "started $0"
"""

DOWN = """
[ ! -e {d}/fail-down ] || {{ echo 'cannot stop'; exit 1; }}
[ ! -e {d}/hang-down ] || {{ echo hanging; sleep 300; }}
kill "$(cat {d}/pid 2>/dev/null)" 2>/dev/null
rm -f {d}/pid {d}/running
echo stopped
"""


@dataclass
class Subject:
    """A runner, what runs by its doing ("" nothing), and ways to break it."""

    runner: Runner
    running: Callable[[], str]
    fail: Callable[[str], None]
    hang: Callable[[str], None]


def _commands(directory: Path, host: Host | None = None) -> Subject:
    def running() -> str:
        file = directory / "running"
        return file.read_text().strip() if file.exists() else ""

    def script(text: str) -> list[str]:
        return ["sh", "-c", text.format(d=directory)]

    runner = CommandRunner(
        Colour.GREEN,
        [*script(UP), "{release}"],
        script(DOWN),
        ["sh", "-c", "seq 1 500"],
        timeout=LONG,
        host=host,
    )
    return Subject(
        runner,
        running,
        fail=lambda verb: (directory / f"fail-{verb}").touch(),
        hang=lambda verb: (directory / f"hang-{verb}").touch(),
    )


def _memory() -> Subject:
    runner = MemoryRunner(Colour.GREEN)
    return Subject(
        runner,
        lambda: runner.running,
        fail=lambda verb: runner.failing.update({verb: {"up": "no such image", "down": "cannot stop"}[verb]}),
        hang=runner.hanging.add,
    )


def _compose(directory: Path, kind: str) -> Subject:
    engine = Engine(directory, {"web": {"image": "web"}}, kind)
    engine.images.add("web")
    return Subject(
        engine.runner(),
        lambda: engine.running().get("web", ""),
        fail=lambda verb: engine.fails.update({"up": {"create": "no such image"}, "down": {"ps": "cannot stop"}}[verb]),
        hang=lambda verb: engine.hangs.add({"up": "start", "down": "ps"}[verb]),
    )


def _units() -> Subject:
    unit = Played("/x/green.env")
    host = Units(units={"web@green.service": unit}, journal="no such image\n")

    def fail(verb: str) -> None:
        if verb == "up":
            unit.goes = "fails"
        else:
            unit.state, unit.stays = "active", "fails"

    return Subject(
        SystemdRunner(
            Colour.GREEN,
            ["web@green.service"],
            host=host,
            environment_file=Path("/x/green.env"),
            timeout=LONG,
            settles=0.0,
        ),
        lambda: unit.release,
        fail=fail,
        hang=lambda verb: setattr(unit, {"up": "goes", "down": "stays"}[verb], "hangs"),
    )


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "command": _commands,
    "command over ssh": lambda directory: _commands(directory, fake(directory / "host")),
    "memory": lambda directory: _memory(),
    "systemd": lambda directory: _units(),
    "docker compose": lambda directory: _compose(directory, "docker"),
    "podman-compose": lambda directory: _compose(directory, "podman"),
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    yield SUBJECTS[request.param](tmp_path)
    pid = tmp_path / "pid"
    if pid.exists() and (child := Child.of(int(pid.read_text()))) is not None:
        child.send(signal.SIGKILL)


async def test_up_brings_the_release_up_and_returns(subject: Subject) -> None:
    assert (await subject.runner.up(Release("1.2.0"))).strip() == "started 1.2.0"
    assert subject.running() == "1.2.0"


async def test_both_verbs_may_be_repeated(subject: Subject) -> None:
    for _ in range(2):
        await subject.runner.up(Release("1.2.0"))
        assert subject.running() == "1.2.0"
    for _ in range(2):
        assert (await subject.runner.down()).strip() == "stopped"
        assert subject.running() == ""


async def test_up_of_another_release_replaces_the_one_that_runs(subject: Subject) -> None:
    await subject.runner.up(Release("1.1.0"))
    await subject.runner.up(Release("1.2.0"))
    assert subject.running() == "1.2.0"


@pytest.mark.parametrize(("verb", "reason"), [("up", "no such image"), ("down", "cannot stop")])
async def test_a_failure_names_verb_colour_and_reason_and_keeps_the_output(
    subject: Subject, verb: str, reason: str
) -> None:
    subject.fail(verb)
    with pytest.raises(RunnerFailed, match=f"`{verb}` of green failed: .*{reason}") as caught:
        await (subject.runner.up(Release("1.2.0")) if verb == "up" else subject.runner.down())
    assert reason in str(caught.value.facts["output"])


@pytest.mark.parametrize("verb", ["up", "down"])
async def test_a_call_that_hangs_can_be_cancelled(subject: Subject, verb: str) -> None:
    if verb == "down":
        await subject.runner.up(Release("1.2.0"))  # what does not run has nothing that could hang
    subject.hang(verb)
    async with asyncio.TaskGroup() as group:
        call = subject.runner.up(Release("1.2.0")) if verb == "up" else subject.runner.down()
        task = group.create_task(call, name="call under test")
        await asyncio.sleep(0.1)
        task.cancel()
    assert task.cancelled()


async def test_logs_are_no_longer_than_asked_for(subject: Subject) -> None:
    for number in range(5):
        await subject.runner.up(Release(f"1.2.{number}"))
    lines = (await subject.runner.logs(1)).splitlines()
    assert len(lines) == 1


async def test_what_runs_outlives_the_call(subject: Subject, tmp_path: Path) -> None:
    await subject.runner.up(Release("1.2.0"))
    assert subject.running() == "1.2.0"
    if isinstance(subject.runner, CommandRunner):
        child = Child.of(int((tmp_path / "pid").read_text()))
        assert child is not None
        assert child.alive
        await subject.runner.down()
        await until(lambda: not child.alive)
