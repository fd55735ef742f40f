"""What every runner does, done by a real systemd: the contract suite on units in a machine of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from bluegreen.adapters.runners.systemd import SystemdRunner
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import PartState
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here
from bluegreen.processes import Ran, environment, run_command
from tests.adapters.runners.test_contract import (  # noqa: F401 - the suite
    Subject,
    test_a_call_that_hangs_can_be_cancelled,
    test_both_verbs_may_be_repeated,
    test_logs_are_no_longer_than_asked_for,
    test_up_brings_the_release_up_and_returns,
    test_up_of_another_release_replaces_the_one_that_runs,
    test_what_runs_outlives_the_call,
)
from tests.adapters.waiting import LONG
from tests.systemd.machine import Machine

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

FILE = Path("/run/bench/green.env")

BENCH = """\
[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=-/run/bench/%i.env
ExecStartPre=/bin/sh -c 'while test -e /run/bench/hang-up; do sleep 0.1; done'
ExecStart=/bin/sh -c 'if test -e /run/bench/fail-up; then echo no such image; exit 3; fi; \
  echo "$RELEASE" > /run/bench/running; printf %%s "$TEXT" > /run/bench/text; systemd-notify --ready; \
  exec sleep infinity'
ExecStop=/bin/sh -c 'while test -e /run/bench/hang-down; do sleep 0.1; done'
TimeoutStopSec=10s
"""

DYING = """\
[Service]
Restart=always
ExecStart=/bin/sh -c 'echo what a pity; exit 1'
"""


class Inside(Here):
    """The machine as a host: what runs here runs in there, as root or another."""

    def __init__(self, machine: Machine, user: str = "root") -> None:
        self._enter = ["nsenter", "--target", str(machine.leader), "--all", "--", "runuser", "-u", user, "--"]

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        variables: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        **_: object,
    ) -> Ran:
        return await run_command([*self._enter, *argv], timeout=timeout, env=environment(variables), stdin=stdin)

    async def read(self, path: Path, *, limit: int = 1024 * 1024) -> bytes:
        ran = await self.run(["cat", str(path)], timeout=LONG)
        if ran.code != 0:
            raise FileNotFoundError(path)
        return ran.output.encode()

    async def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        ran = await self.run(["install", "-m", f"{mode:o}", "/dev/stdin", str(path)], timeout=LONG, stdin=data)
        assert ran.code == 0, ran.output


@pytest.fixture(scope="module")
def benches(bare: Machine) -> Machine:
    bare.write("/etc/systemd/system/bench@.service", BENCH)
    bare.write("/etc/systemd/system/dying@.service", DYING)
    bare.sh("mkdir -p /run/bench; systemctl daemon-reload")
    return bare


def green(machine: Machine, unit: str = "bench@green.service", timeout: float = LONG) -> SystemdRunner:
    file = FILE if unit.startswith("bench") else None
    return SystemdRunner(
        Colour.GREEN, [unit], host=Inside(machine), environment_file=file, timeout=timeout, settles=0.5
    )


@pytest.fixture
def subject(benches: Machine) -> Iterator[Subject]:
    def running() -> str:
        active = benches.shown("bench@green", "ActiveState") == "active"
        return benches.run("cat", "/run/bench/running").strip() if active else ""

    def spoil(how: str) -> Callable[[str], None]:
        def spoiled(verb: str) -> None:
            benches.run("touch", f"/run/bench/{how}-{verb}")

        return spoiled

    yield Subject(green(benches), running, fail=spoil("fail"), hang=spoil("hang"))
    benches.sh("rm -f /run/bench/hang-* /run/bench/fail-* /run/bench/green.env; systemctl stop bench@green dying@green")


async def test_a_failure_tells_the_units_own_last_words(subject: Subject) -> None:
    subject.fail("up")
    with pytest.raises(RunnerFailed) as caught:
        await subject.runner.up(Release("1.2.0"))
    assert caught.value.detail == (
        "`up` of green failed: bench@green.service failed (Result=exit-code, exit status 3); it said: no such image"
    )
    (part,) = await subject.runner.parts()
    assert (part.state, part.detail) == (PartState.FAILED, "Result=exit-code, exit status 3")
    await subject.runner.down()
    (part,) = await subject.runner.parts()
    assert part.state is PartState.STOPPED


async def test_a_start_that_takes_too_long_leaves_nothing_that_comes_up_later(
    subject: Subject, benches: Machine
) -> None:
    subject.hang("up")
    with pytest.raises(RunnerFailed, match=r"bench@green\.service did not start: .* did not end within"):
        await green(benches, timeout=1.0).up(Release("1.2.0"))
    benches.run("rm", "/run/bench/hang-up")
    benches.eventually(lambda: benches.shown("bench@green", "ActiveState") in ("inactive", "failed"), "it is stopped")


async def test_a_unit_that_systemd_starts_again_and_again_is_a_failure(subject: Subject, benches: Machine) -> None:
    runner = green(benches, "dying@green.service")
    with pytest.raises(RunnerFailed, match=r"dying@green.service (ends and is started again and again|failed)"):
        await runner.up(Release("1.2.0"))
    await runner.down()


async def test_every_value_arrives_as_it_was_written(subject: Subject, benches: Machine) -> None:
    text = "a \"b\" 'c' $d ${e} `f` \\g \\n #h ;i %j ü\ttab\nsecond line \\"
    with suppress(RunnerFailed):
        await subject.runner.down()
    await subject.runner.up(Release("1.2.0", {"TEXT": text}))
    assert benches.run("cat", "/run/bench/text") == text


async def test_what_it_runs_as_is_told(subject: Subject) -> None:
    await subject.runner.up(Release("1.2.0"))
    (part,) = await subject.runner.parts()
    assert (part.name, part.state) == ("bench@green.service", PartState.RUNNING)
    assert part.started_at is not None
    assert {*part.properties} == {"unit_file", "main_pid", "invocation"}
    assert "bench@green.service is there" in await subject.runner.prepare(Release("1.2.0"))


async def test_units_of_a_user_are_run_by_the_users_own_systemd_without_any_right(benches: Machine) -> None:
    benches.sh(
        """
        id deploy >/dev/null 2>&1 || useradd --create-home --shell /bin/sh deploy
        sed 's|/run/bench|/home/deploy|g' /etc/systemd/system/bench@.service > /etc/systemd/user/bench@.service
        loginctl enable-linger deploy
        """
    )
    place = Path("/home/deploy/green.env")
    runner = SystemdRunner(
        Colour.GREEN,
        ["bench@green.service"],
        host=Inside(benches, "deploy"),
        user=True,
        environment_file=place,
        timeout=LONG,
        settles=0.5,
    )
    bus = "/run/user/$(id -u deploy)/systemd/private"
    benches.eventually(lambda: benches.tried("sh", "-c", f"test -S {bus}")[0] == 0, "the user's systemd answers")
    await runner.prepare(Release("1.2.0"))
    await runner.up(Release("1.2.0"))
    assert benches.run("cat", "/home/deploy/running").strip() == "1.2.0"
    (part,) = await runner.parts()
    assert part.state is PartState.RUNNING
    assert benches.shown("bench@green", "ActiveState") == "inactive", "not the system's"
    await runner.down()
    (part,) = await runner.parts()
    assert part.state is PartState.STOPPED
    benches.run("loginctl", "disable-linger", "deploy")
