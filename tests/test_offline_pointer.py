"""`cutback --offline` by a card that names a pointer file: with Caddy frozen, with its endpoint gone, and as root."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen import offline
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.cards.file import FileCards
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.traffic import Card, Colour
from tests.adapters.balancers.pointer_stand import PointerStand, pointer_stand
from tests.app.test_card_alone import CARD

BLUE, GREEN = Colour.BLUE, Colour.GREEN
SOMEBODY = 12345


@pytest.fixture
async def stand(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[PointerStand]:
    async with pointer_stand(caddy, short_directory, Style()) as running:
        yield running


async def switched(stand: PointerStand, state: Path) -> Path:
    """A release is being watched: users are on green, and the card leads back to blue. Returns the configuration."""
    state.mkdir(mode=0o700)
    card = await stand.bench.balancer.card(BLUE, 6)
    card = replace(card, deployment="d-1", open=True, endpoint=stand.bench.caddy.admin)
    await FileCards(state / "cutback.json").write(card)
    await stand.bench.balancer.switch(GREEN, 7, expected=BLUE)
    assert await stand.colours() == {"green"}
    file = state.parent / "bluegreen.toml"
    file.write_text('[daemon]\nstate_dir = "state"\n')
    return file


async def cut_back(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bluegreen", "cutback", "--offline", "-o", "json", "--config", str(file), *words]
    env = {"PYTHONPATH": ":".join(sys.path), "PATH": os.environ["PATH"]}
    return await asyncio.to_thread(
        subprocess.run, argv, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.real
async def test_with_caddy_frozen_its_users_are_back_as_soon_as_it_goes_on(stand: PointerStand, tmp_path: Path) -> None:
    file = await switched(stand, tmp_path / "state")
    stand.bench.caddy.pause()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(stand.colours(), name="users")
        try:
            ran = await cut_back(file, "--reason", "3 a.m.")
        finally:
            stand.bench.caddy.unpause()
    assert ran.returncode == 0, ran
    assert json.loads(ran.stdout)["end"] == "back", "and nothing else on stdout"
    assert stand.bench.file.read_text() == "blue g8\n"
    assert waiting.result() == {"blue"}
    assert json.loads((tmp_path / "state" / "cutback-done.json").read_text())["generation"] == 8
    again = await cut_back(file)
    assert (again.returncode, json.loads(again.stdout)["end"]) == (0, "already-back"), again


@pytest.mark.real
async def test_with_its_endpoint_gone_and_the_configuration_broken_users_are_back(
    stand: PointerStand, tmp_path: Path
) -> None:
    file = await switched(stand, tmp_path / "state")
    Path(stand.bench.caddy.admin.removeprefix("unix/")).unlink()
    file.write_text('[daemon]\nstate_dir = "state"\nwhat = "is this"\n')
    ran = await cut_back(file)
    assert (ran.returncode, json.loads(ran.stdout)["end"]) == (0, "back"), ran
    assert await stand.colours() == {"blue"}


# --- what root believes of a card that another user wrote


def naming(path: Path) -> Card:
    return replace(CARD, pointer=str(path))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "caddy"
    made.mkdir(mode=0o755)
    return made.resolve()


def test_a_card_without_a_file_and_ones_own_are_not_held_to_it(directory: Path) -> None:
    assert offline._untrusted_file(CARD, SOMEBODY) == ""
    assert offline._untrusted_file(naming(directory / "live"), os.geteuid()) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_root_writes_only_where_the_cards_owner_might_himself(directory: Path) -> None:
    live = naming(directory / "live")
    assert "may not write there" in offline._untrusted_file(live, SOMEBODY)
    directory.chmod(0o777)
    assert offline._untrusted_file(live, SOMEBODY) == ""
    directory.chmod(0o755)
    os.chown(directory, SOMEBODY, 0)
    assert offline._untrusted_file(live, SOMEBODY) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="the owner of a directory is always trusted")
def test_a_group_that_may_write_is_enough_where_the_cards_owner_is_in_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(directory, 0, 4242)
    directory.chmod(0o2775)
    assert offline._untrusted_file(naming(directory / "live"), SOMEBODY) != ""
    monkeypatch.setattr(offline, "_groups", lambda uid: [uid, 4242])
    assert offline._untrusted_file(naming(directory / "live"), SOMEBODY) == ""


def test_root_follows_no_symlink_and_takes_no_relative_path(directory: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(directory, SOMEBODY, SOMEBODY)
    link = tmp_path / "link"
    link.symlink_to(directory)
    other = SOMEBODY if os.geteuid() == 0 else os.geteuid() + 1
    assert "symlinks lead there" in offline._untrusted_file(naming(link / "live"), other)
    assert "symlinks lead there" in offline._untrusted_file(replace(CARD, pointer="live"), other)
    assert "no such directory" in offline._untrusted_file(naming(directory / "none" / "live"), other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
async def test_what_root_does_not_write_the_cards_owner_is_told_to(directory: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    await FileCards(state / "cutback.json").write(replace(naming(directory / "live"), open=True))
    os.chown(state, SOMEBODY, SOMEBODY)
    file = tmp_path / "bluegreen.toml"
    file.write_text('[daemon]\nstate_dir = "state"\n')
    ran = await cut_back(file)
    assert ran.returncode == 23, ran
    told = json.loads(ran.stdout)
    assert "root does not write" in told["text"]
    assert "bluegreen cutback --offline" in told["next"][0]
    assert not (directory / "live").exists()
