"""Commands on another machine: nothing of them is lost on the way, and nothing of them is left there."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bluegreen.hosts import FileUnreadable, Here, Host, HostUnreachable
from bluegreen.processes import CommandFailed, beside, run_command
from bluegreen.ssh import Ssh
from bluegreen.ssh_script import Errand
from tests.adapters.waiting import LONG, pid_in, running, until
from tests.fake_ssh import SHELLS, fake
from tests.sshd import loopback, why_not

WORDS = (
    *("a b", " ", "", "'", '"', "'\"'\"'", "$(id)", "`id`", "$HOME", "${x}", "; reboot", "a\nb", "a\n", "\t", "*", "?"),
    *("[a]", "~", "#", "!", "!!", "&", "|", ">x", "-n", "--", "-", "\\", "\\n", "a\\", "%s", "@argv@", "@variables@"),
    *("żółć", "āğ", "日本", "\x01\x7f", "{release}", "=", "a=b", "\r"),
)
ECHO = (
    "import json, os, sys\n"
    "names = {n: v for n, v in os.environ.items() if n.startswith('V_')}\n"
    "print(json.dumps([sys.argv[1:], names, sys.stdin.buffer.read().hex()[:64], os.getcwd()]))"
)


@pytest.fixture(params=[*SHELLS, "sshd"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ssh]:
    """Another machine, with each shell that it may have; and a real sshd."""
    if request.param != "sshd":
        yield fake(tmp_path / "fake", request.param)
        return
    if why_not():
        pytest.skip(why_not())
    async with loopback(tmp_path / "sshd") as server:
        yield server.ssh()


@pytest.fixture(params=["here", "dash"])
def any_host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Here() if request.param == "here" else fake(tmp_path / "fake")


async def test_words_variables_directory_and_input_come_as_they_are(host: Ssh, tmp_path: Path) -> None:
    odd = tmp_path / "a 'directory' $(x)"
    odd.mkdir()
    variables = {f"V_{number}": word for number, word in enumerate(WORDS)}
    data = bytes(range(256)) * 400
    argv = [sys.executable, "-c", ECHO, *WORDS]
    ran = await host.run(argv, timeout=LONG, variables=variables, cwd=odd, stdin=data)
    assert ran.code == 0, ran.output
    assert json.loads(ran.output) == [list(WORDS), variables, data.hex()[:64], str(odd)]
    assert (await host.run(["wc", "-c"], timeout=LONG, stdin=data)).output.strip() == str(len(data))


async def test_no_variable_stands_in_an_argv(host: Ssh) -> None:
    seen = "$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ')"
    script = f'echo "$SECRET"; case "{seen}" in *"$SECRET"*) echo seen;; *) echo hidden;; esac'
    ran = await host.run(["sh", "-c", script], timeout=LONG, variables={"SECRET": "s3cret-of-ours"})
    assert ran.output.split() == ["s3cret-of-ours", "hidden"]
    command = host.command(["true"], variables={"SECRET": "s3cret-of-ours"})
    assert "s3cret-of-ours" not in " ".join([*command.argv, *command.env.values()])


@pytest.mark.parametrize("code", [0, 1, 126, 254, 255])
async def test_an_exit_code_is_the_commands_own(tmp_path: Path, code: int) -> None:
    ran = await fake(tmp_path).run(["sh", "-c", f"echo out; echo err >&2; exit {code}"], timeout=LONG)
    assert (ran.code, ran.output) == (code, "out\nerr\n"), "and what the login shell says is no part of it"


async def test_of_a_flood_only_the_end_is_kept_and_the_exit_code_too(tmp_path: Path) -> None:
    flood = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo done; exit 7"
    ran = await fake(tmp_path).run(["sh", "-c", flood], timeout=LONG, output_limit=1000)
    assert (ran.code, ran.output.endswith("x\ndone\n")) == (7, True)
    assert ran.output.startswith("... 2999006 bytes before this were not kept\n")


async def test_a_command_that_is_not_wanted_any_more_is_ended_with_all_it_started(host: Ssh, tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! >{tmp_path}/pid; sleep 300"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(host.run(["sh", "-c", script], timeout=LONG), name="unwanted")
        pid = await pid_in(tmp_path / "pid")
        task.cancel()
    await until(lambda: not running(pid))


async def test_a_command_that_takes_too_long_is_ended_and_said_to_be(tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/pid; echo pulling; exec sleep 300"
    with pytest.raises(CommandFailed, match=r"sh did not end within 2 s on deploy@fake-host.*pulling"):
        await fake(tmp_path / "fake").run(["sh", "-c", script], timeout=2.0)
    pid = await pid_in(tmp_path / "pid")
    await until(lambda: not running(pid))


async def test_a_command_ends_at_its_limit_also_where_nobody_holds_the_link(tmp_path: Path) -> None:
    """The leash is not let go: what ends it is the watch on the other machine."""
    command = fake(tmp_path / "fake").command(["sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 300"], timeout=0.5)
    async with beside(command.argv, asyncio.Protocol(), env=command.env, order=command.stdin) as process:
        pid = await pid_in(tmp_path / "pid")
        await until(lambda: not running(pid))
        async with asyncio.timeout(LONG):
            assert await process.wait() == 143


async def test_what_an_earlier_command_left_running_is_ended_before_one_that_wants_to_be_alone(tmp_path: Path) -> None:
    if shutil.which("flock") is None:
        pytest.skip("flock is not installed")
    host = fake(tmp_path / "fake")
    up = host.command(["sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 300"], alone="green")
    async with beside(up.argv, asyncio.Protocol(), env=up.env, order=up.stdin):
        pid = await pid_in(tmp_path / "pid")
        other = await host.run(["echo", "blue"], timeout=LONG, alone="blue")
        assert (other.output, running(pid)) == ("blue\n", True)
        down = await host.run(["sh", "-c", f"kill -0 {pid} 2>/dev/null || echo alone"], timeout=LONG, alone="green")
        assert down.output == "alone\n"


@pytest.mark.parametrize("shell", SHELLS)
async def test_an_order_that_did_not_come_through_as_a_whole_does_nothing(tmp_path: Path, shell: str) -> None:
    """A link that is lost in the middle must not make `rm -r one two` of `rm -r one two-and-more`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(shutil.which(shell) or pytest.skip(f"{shell} is not installed"))
    line, order = Errand(["touch", str(tmp_path / "one"), str(tmp_path / "two")], {}).call()
    cut = order.index(b"/two") - len(str(tmp_path)) - 1
    for end in (cut, cut - 1, len(order) - len(b"/two") - 3):
        env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        ran = await run_command(["sh", "-c", line], timeout=LONG, env=env, stdin=order[:end])
        assert ran.code != 0, ran.output
    assert not (tmp_path / "one").exists()


async def test_another_projects_command_on_the_same_machine_is_not_ended(tmp_path: Path) -> None:
    if shutil.which("flock") is None:
        pytest.skip("flock is not installed")
    program = fake(tmp_path / "fake").command(["true"]).argv[0]
    ours, theirs = (Ssh("fake-host", program=(program,), scope=project) for project in ("olympus", "staging"))
    up = theirs.command(["sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 300"], alone="green")
    async with beside(up.argv, asyncio.Protocol(), env=up.env, order=up.stdin):
        pid = await pid_in(tmp_path / "pid")
        await ours.run(["true"], timeout=LONG, alone="green")
        assert running(pid)
        await theirs.run(["true"], timeout=LONG, alone="green")
        assert not running(pid)


def test_a_directory_of_sockets_that_was_tidied_away_is_made_again() -> None:
    def where() -> Path:
        (word,) = [word for word in Ssh("green-host").command(["true"]).argv if word.startswith("ControlPath=")]
        return Path(word.removeprefix("ControlPath=")).parent

    gone = where()
    shutil.rmtree(gone)
    made = where()
    assert made.is_dir()
    assert made.stat().st_mode & 0o777 == 0o700


async def test_what_is_left_running_after_a_success_stays_only_where_it_may(tmp_path: Path) -> None:
    host, script = fake(tmp_path / "fake"), "sleep 300 >/dev/null 2>&1 & echo $! >{}"
    await host.run(["sh", "-c", script.format(tmp_path / "one")], timeout=LONG)
    await host.run(["sh", "-c", script.format(tmp_path / "two")], timeout=LONG, leave_children=True)
    one, two = await pid_in(tmp_path / "one"), await pid_in(tmp_path / "two")
    try:
        await until(lambda: not running(one))
        assert running(two)
    finally:
        os.kill(two, 9)


async def test_an_output_that_is_still_held_is_not_waited_for(tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! >{tmp_path}/pid; echo started"
    ran = await fake(tmp_path / "fake").run(["sh", "-c", script], timeout=LONG, leave_children=True)
    assert (ran.output, ran.held) == ("started\n", True)
    os.kill(await pid_in(tmp_path / "pid"), 9)


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    ran = await fake(tmp_path).run(["true"], timeout=LONG, cwd=Path("/no/such place"))
    assert (ran.code, ran.output) == (126, "/no/such place: there is no such directory\n")


async def test_a_file_is_written_as_a_whole_and_read_as_it_is(any_host: Host, tmp_path: Path) -> None:
    file, data = tmp_path / "new" / "a file", bytes(range(256)) * 300
    for content in (data, b"", b"short"):
        await any_host.write(file, content, mode=0o640)
        assert (await any_host.read(file), file.stat().st_mode & 0o777) == (content, 0o640)
    assert list(file.parent.iterdir()) == [file], "nothing else is left there"
    with pytest.raises(FileUnreadable, match="longer than 4 bytes"):
        await any_host.read(file, limit=4)
    with pytest.raises(FileNotFoundError):
        await any_host.read(tmp_path / "other")
    with pytest.raises(FileUnreadable, match="cannot be read"):
        await any_host.read(tmp_path)
    with pytest.raises(FileUnreadable, match="cannot be written"):
        await any_host.write(file / "below", data)


SAYS: dict[str, tuple[str, str, str]] = {
    "an unknown key": (
        "No ED25519 host key is known for green-host and you have requested strict checking.",
        "its host key is not known here",
        "ssh-keyscan -p 22 green-host >> ~/.ssh/known_hosts",
    ),
    "another key": (
        "@  WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!  @\nHost key verification failed.",
        "set up anew, or it is another machine",
        "ssh-keygen -R 'green-host' -f ~/.ssh/known_hosts",
    ),
    "a key that is not let in": (
        "deploy@green-host: Permission denied (publickey).",
        "does not let us in with our key",
        "ssh deploy@green-host true",
    ),
    "no machine": (
        "ssh: connect to host green-host port 22: No route to host",
        "No route to host",
        "ssh deploy@green-host true",
    ),
    "a login shell that runs nothing": (
        "This account is currently not available.",
        "This account is currently not available",
        "ssh deploy@green-host true",
    ),
}


@pytest.mark.parametrize("says", SAYS)
async def test_a_host_that_is_not_reached_is_no_exit_code_and_says_what_to_type(tmp_path: Path, says: str) -> None:
    words, why, command = SAYS[says]
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\ncat <<'E' >&2\n{words}\nE\nexit 255\n")
    program.chmod(0o755)
    host = Ssh("green-host", user="deploy", program=(str(program),))
    with pytest.raises(HostUnreachable, match="deploy@green-host is not reached") as caught:
        await host.run(["true"], timeout=LONG)
    assert why in caught.value.detail
    assert command in caught.value.next


async def test_a_link_that_is_lost_in_the_middle_says_that_nobody_knows(tmp_path: Path) -> None:
    host = fake(tmp_path)
    lost = 'kill -9 "$(ps -o ppid= -p $PPID)" $PPID' if shutil.which("ps") else "kill -9 $PPID"
    with pytest.raises(HostUnreachable, match=r"the link was lost while sh ran there.*not known.*halfway"):
        await host.run(["sh", "-c", f"echo halfway; {lost}"], timeout=LONG)


async def test_a_machine_whose_sshd_is_gone_is_not_reached(tmp_path: Path) -> None:
    if why_not():
        pytest.skip(why_not())
    async with loopback(tmp_path) as server:
        host = server.ssh()
        assert (await host.run(["echo", "up"], timeout=LONG)).output == "up\n"
        await server.stop()
        with pytest.raises(HostUnreachable):
            await host.run(["echo", "up"], timeout=LONG)
        await server.start()
        assert (await host.run(["echo", "up"], timeout=LONG)).output == "up\n", "what was left of the link is in no way"
