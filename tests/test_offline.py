"""`cutback --offline` before it acts: where the state is, whose it is, what of the card is trusted, who is alive."""

import asyncio
import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen import offline
from bluegreen.app.card_alone import End
from bluegreen.domain.traffic import Card, Colour
from bluegreen.offline import DEFAULT_STATE, TELL_AGAIN, TOLD, NotOurs, find_places
from tests.app.test_card_alone import CARD
from tests.domain.examples import BLUE

SOMEBODY = 12345


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration."""

    def writing(text: str) -> Path:
        (tmp_path / "bluegreen.toml").write_text(text)
        return tmp_path / "bluegreen.toml"

    return writing


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("not [ toml", DEFAULT_STATE),
        ("", DEFAULT_STATE),
        ('daemon = "what"', DEFAULT_STATE),
        ("[daemon]\nstate_dir = 7", DEFAULT_STATE),
        ('[daemon]\nstate_dir = "/srv/state"\nwrong = 1', Path("/srv/state")),
    ],
    ids=["no TOML", "empty", "no section", "no path", "unknown key"],
)
def test_a_configuration_that_cannot_be_used_still_says_where_the_state_is(
    text: str, state: Path, write: Callable[[str], Path]
) -> None:
    places = find_places(write(text))
    assert places.state == state
    assert str(state) in places.note
    assert places.reload == ()


def test_a_relative_directory_is_meant_from_the_configuration(write: Callable[[str], Path], tmp_path: Path) -> None:
    assert find_places(write('[daemon]\nstate_dir = "state"\nwrong = 1')).state == tmp_path / "state"


def test_a_variable_goes_before_a_broken_file(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGREEN_DAEMON__STATE_DIR", "/srv/other")
    assert find_places(write("[broken")).state == Path("/srv/other")


def test_without_a_configuration_everything_is_where_it_is_by_default(tmp_path: Path) -> None:
    assert find_places(tmp_path / "none.toml").state == DEFAULT_STATE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_for_them_and_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    assert offline._owner(tmp_path) == SOMEBODY
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert offline._owner(tmp_path) == SOMEBODY
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY + 1)
    with pytest.raises(NotOurs, match="needs root or that user"):
        offline._owner(tmp_path)


# --- what root believes of a card that another user wrote


@pytest.fixture
def snippets(tmp_path: Path) -> Path:
    for service in CARD.services:
        (tmp_path / f"{service.name}.caddy").write_text("to 127.0.0.1:1\n")
    return tmp_path


def card_with(snippets: Path) -> Card:
    return replace(CARD, snippets=str(snippets))


def test_plain_snippets_are_written_by_root_too(snippets: Path) -> None:
    assert offline._trusted(card_with(snippets), SOMEBODY) == (card_with(snippets), ())


def test_root_follows_no_symlink_that_another_user_laid(snippets: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    name = f"{CARD.services[0].name}.caddy"
    (snippets / name).unlink()
    (snippets / name).symlink_to(victim)
    card, remarks = offline._trusted(card_with(snippets), SOMEBODY)
    assert card.snippets == ""
    assert "symlinks" in remarks[0]


def test_root_writes_beside_no_name_that_is_a_path(snippets: Path) -> None:
    services = (replace(CARD.services[0], name="../../etc/x"), *CARD.services[1:])
    card, _ = offline._trusted(replace(card_with(snippets), services=services), SOMEBODY)
    assert card.snippets == ""


def test_the_daemons_own_user_is_not_held_to_that(snippets: Path) -> None:
    name = f"{CARD.services[0].name}.caddy"
    (snippets / "real").write_text("to 127.0.0.1:1\n")
    (snippets / name).unlink()
    (snippets / name).symlink_to(snippets / "real")
    assert offline._trusted(card_with(snippets), os.geteuid())[0].snippets == str(snippets)


# --- the lock and the old colour


def test_the_lock_is_held_while_the_failsafe_acts_and_a_daemons_is_respected(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with offline._alone(lock) as alone:
        assert alone, "there is no lock yet: no daemon ever ran"
    assert not lock.exists(), "a lock of root's would lock the daemon out"
    lock.touch()
    with lock.open() as daemon:
        with offline._alone(lock) as alone:
            assert alone
            with pytest.raises(BlockingIOError):
                fcntl.flock(daemon, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(daemon, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with offline._alone(lock) as alone:
            assert not alone


async def test_a_colour_is_dead_where_a_service_of_it_takes_no_connection(unused_tcp_port: int) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        alive, closed = f"127.0.0.1:{port}", f"127.0.0.1:{unused_tcp_port}"
        assert await offline.dead(_at(alive)) == ""
        assert await offline.dead(_at(closed, alive)) == "", "one address that answers will do"
        assert closed in await offline.dead(_at(closed))


def _at(*addresses: str) -> Card:
    services = tuple(replace(each, addresses={**each.addresses, BLUE: addresses}) for each in CARD.services)
    return replace(CARD, colour=Colour.BLUE, services=services)


# --- telling people


def test_people_hear_the_same_again_only_after_a_while(tmp_path: Path) -> None:
    file = tmp_path / TOLD
    assert not offline._told_lately(file, End.STUCK)
    assert offline._told_lately(file, End.STUCK)
    assert not offline._told_lately(file, End.BACK), "something else"
    long_ago = time.time() - TELL_AGAIN - 1
    os.utime(file, (long_ago, long_ago))
    assert not offline._told_lately(file, End.BACK)
    assert not offline._told_lately(tmp_path / "missing" / TOLD, End.STUCK), "a disk that takes no writes"


def test_what_people_were_told_is_written_through_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / TOLD).symlink_to(victim)
    assert not offline._told_lately(tmp_path / TOLD, End.STUCK)
    assert victim.read_text() == "mine"
    assert offline._told_lately(tmp_path / TOLD, End.STUCK)


# --- the command


def run(file: Path, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    argv = [*before, sys.executable, "-m", "bluegreen", "cutback", "--offline", "--config", str(file), *words]
    env = {"PYTHONPATH": ":".join(sys.path), "PATH": os.environ["PATH"]}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def state(write: Callable[[str], Path], tmp_path: Path) -> Path:
    """A configuration with an empty state directory."""
    (tmp_path / "state").mkdir(mode=0o700)
    return write('[daemon]\nstate_dir = "state"\n')


def test_where_nothing_was_ever_moved_there_is_nothing_to_take_back(state: Path) -> None:
    asked, failsafe = run(state), run(state, "--if-watched", "-o", "json")
    assert (asked.returncode, "no cutback card" in asked.stderr) == (5, True), asked
    assert (failsafe.returncode, json.loads(failsafe.stdout)["end"]) == (0, "nothing-done")


def test_a_card_that_cannot_be_read_calls_for_a_person(state: Path) -> None:
    (state.parent / "state" / "cutback.json").write_text("torn")
    ran = run(state)
    assert (ran.returncode, "cutback.json cannot be read" in ran.stderr) == (23, True), ran


def test_a_state_directory_that_is_missing_is_named(write: Callable[[str], Path], tmp_path: Path) -> None:
    ran = run(write('[daemon]\nstate_dir = "none"\n'))
    assert (ran.returncode, str(tmp_path / "none") in ran.stderr) == (5, True), ran


def test_the_failsafes_option_goes_with_the_way_it_is_meant_for(state: Path) -> None:
    argv = [sys.executable, "-m", "bluegreen", "cutback", "--if-watched", "--config", str(state)]
    assert subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 2


def test_where_no_daemon_answers_the_cutback_names_the_way_without_it(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "bluegreen", "cutback", "--socket", str(tmp_path / "none.sock")]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "next: bluegreen cutback --offline" in ran.stderr) == (3, True), ran


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_is_refused(state: Path) -> None:
    for directory in state.parents:
        if directory.stat().st_mode & stat.S_ISVTX:
            break  # /tmp; beside each other the tests have one directory more below it
        directory.chmod(0o755)
    other = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
    if subprocess.run([*other, sys.executable, "-c", "import bluegreen"], capture_output=True, check=False).returncode:
        pytest.skip("nobody else may run this Python")
    ran = run(state, before=other)
    assert (ran.returncode, "sudo bluegreen cutback --offline" in ran.stderr) == (4, True), ran
