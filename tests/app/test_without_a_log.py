"""No access log is read: which colour answers is told by the version of the answer, or the deployment is refused."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.adapters.signals.probes import Probes
from bluegreen.app.witness import Witness
from bluegreen.app.world import World
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import JournalUnreadable
from bluegreen.domain.phases import Phase
from bluegreen.domain.rules import SIGNALS
from tests.app.daemons import running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

PROBE = tuple(replace(rule, weight=1.0) for rule in SIGNALS if rule.source == "probes")


class Unwitnessed(Outside):
    """The same, where nobody reads an access log, and every service says its version."""

    def __init__(self) -> None:
        super().__init__()
        self.versioned = frozenset(SERVICES)
        self.front_door.logged = False
        self.front_door.versions = {BLUE: "1.0.0", GREEN: "1.1.0"}
        self.front_door.whose = Witness(self.journal, self.releases).colour
        self.change(signals=PROBE)

    def world(self) -> World:
        probes = Probes(self.front_door, SERVICES, clock=self.clock)
        return replace(super().world(), witnessed=False, versioned=self.versioned, sources=(probes,))


@pytest.fixture
def outside() -> Iterator[Unwitnessed]:
    outside = Unwitnessed()
    yield outside
    assert outside.broken == []


async def deployed(outside: Outside, release: str = "1.1.0") -> Deployment:
    async with running(outside) as daemon:
        await daemon.deploy(release)
        return await daemon.end()


async def test_a_good_release_goes_live_and_people_are_told_who_watches(outside: Unwitnessed) -> None:
    ended = await deployed(outside)
    assert ended.phase is Phase.LIVE, ended.reason
    assert any("users are not watched, only probes" in warning for warning in ended.warnings)


async def test_a_release_whose_probes_fail_is_cut_back_and_the_old_one_proved_by_its_version(
    outside: Unwitnessed,
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.front_door.statuses[GREEN] = 500
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (Phase.REVERTED, Cause.REGRESSED), ended.reason
    assert outside.serving() == {BLUE}


async def test_a_switch_after_which_the_old_version_answers_is_not_proved(outside: Unwitnessed) -> None:
    outside.at("after balancer green 1", lambda: outside.front_door.versions.update({GREEN: "1.0.0"}))
    ended = await deployed(outside)
    assert ended.phase is Phase.REVERTED
    assert "the front door does not answer from green: web: HTTP 200 from blue" in ended.reason


async def test_a_version_that_no_colour_runs_is_a_witness_of_none(outside: Unwitnessed) -> None:
    outside.at("after balancer green 1", lambda: outside.front_door.versions.update({GREEN: "9.9.9"}))
    ended = await deployed(outside)
    assert ended.phase is Phase.REVERTED
    assert "as 9.9.9" in ended.reason


def _mute(outside: Unwitnessed) -> None:
    outside.versioned = frozenset({"api"})


def _unknown(outside: Unwitnessed) -> None:
    outside.releases.clear()


def _on_hold(outside: Unwitnessed) -> None:
    outside.change(signals=PROBE, on_no_traffic="hold")


@pytest.mark.parametrize(
    ("spoil", "release", "words"),
    [
        (_mute, "1.1.0", "the answers of web do not say which version they are: no switch could be proved"),
        (_unknown, "1.1.0", "which release blue runs is not known"),
        (lambda outside: None, "1.0.0", "blue runs 1.0.0 already: nobody could tell by its version which colour"),
        (_on_hold, "1.1.0", 'on_no_traffic = "hold" holds for ever'),
    ],
    ids=["no version", "unknown release", "one release on both", "hold"],
)
async def test_what_could_not_be_proved_later_is_refused_before_anything_is_done(
    outside: Unwitnessed, spoil: Any, release: str, words: str
) -> None:
    spoil(outside)
    ended = await deployed(outside, release)
    assert ended.phase is Phase.ABANDONED
    assert words in ended.reason
    assert not [what for what in outside.told if what.startswith(("runner", "balancer"))]


async def test_a_version_speaks_for_the_only_colour_that_runs_it() -> None:
    journal = MemoryJournal()
    witness = Witness(journal, {BLUE: "1.0.0"})
    assert await witness.colour("1.0.0") is BLUE
    assert await witness.colour("1.1.0") is None
    assert await witness.colour("") is None
    await journal.keep("release", GREEN, "1.1.0")
    assert await witness.colour("1.1.0") is GREEN
    await journal.keep("release", GREEN, "1.0.0")
    assert await witness.colour("1.0.0") is None, "both run it"


class Broken(MemoryJournal):
    """A journal that fails, or hangs, from a certain moment on."""

    hangs = fails = False

    async def fact(self, kind: str, key: str) -> Any:
        if self.hangs:
            await asyncio.sleep(3600.0)
        if self.fails:
            raise JournalUnreadable
        return await super().fact(kind, key)


@pytest.mark.parametrize("how", ["hangs", "fails"])
async def test_the_way_back_is_proved_without_the_journal_by_what_was_known_last(how: str) -> None:
    journal = Broken()
    witness = Witness(journal, {BLUE: "1.0.0", GREEN: "1.1.0"})
    assert await witness.colour("1.0.0") is BLUE
    setattr(journal, how, True)
    assert await witness.colour("1.0.0") is BLUE
