"""What systemd says of a unit, and what that means.

Outside facts: `systemctl show` prints NAME=VALUE lines, a block for each unit in the order of the question, with an
empty line between two; its names are stable (org.freedesktop.systemd1(5)), what `status` prints is not. Times are those
of TZ, so that it is asked with TZ=UTC. A unit that rests is forgotten, with its times and its condition; `start` of a
unit whose Condition...= does not hold succeeds, and starts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bluegreen.domain.parts import Part, PartState

ASKED = (
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "Result",
    "Type",
    "NRestarts",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ActiveEnterTimestamp",
    "MainPID",
    "InvocationID",
    "FragmentPath",
    "NeedDaemonReload",
    "EnvironmentFiles",
)
SHOWN = {"FragmentPath": "unit_file", "MainPID": "main_pid", "InvocationID": "invocation", "NRestarts": "restarts"}

EXITED = "1"
"""CLD_EXITED of waitid(2), as ExecMainCode tells it; every other code is the death by a signal."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit by its whole name, and its properties (ASKED)."""

    name: str
    properties: Mapping[str, str]

    def get(self, name: str) -> str:
        """A property; "" where this type of unit has none."""
        return self.properties.get(name, "")

    @property
    def invocation(self) -> str:
        """The id of this start; "" where it does not run."""
        return self.get("InvocationID")

    @property
    def is_there(self) -> bool:
        """Whether systemd knows such a unit."""
        return self.get("LoadState") == "loaded"

    @property
    def is_active(self) -> bool:
        """Whether it runs."""
        return self.get("ActiveState") in ("active", "reloading")

    @property
    def rests(self) -> bool:
        """Whether nothing of it runs, and nothing will by itself."""
        return self.get("ActiveState") in ("inactive", "failed")

    @property
    def is_new(self) -> bool:
        """Whether it rests, and nothing has to be forgotten before it is started."""
        return self.get("ActiveState") == "inactive"

    def runs_as(self, invocation: str) -> bool:
        """Whether it runs still as it was started then."""
        return self.is_active and self.invocation == invocation != ""

    @property
    def has_done(self) -> bool:
        """Whether it is one that does its work and ends, and has done it."""
        return self.get("Type") == "oneshot" and self.get("ActiveState") == "inactive" and self._result == ""

    @property
    def _result(self) -> str:
        result = self.get("Result")
        return "" if result == "success" else result

    @property
    def _loops(self) -> bool:
        return self.get("SubState").startswith("auto-restart")

    def unusable(self, verb: str = "start") -> str:
        """Why it cannot be started, and what to do; "" where it can."""
        state = self.get("LoadState")
        if state == "not-found":
            return f"there is no unit {self.name}"
        if state != "loaded":
            said = self.get("LoadError").partition('"')[2].rstrip('"')
            return f"{self.name} is {state}{': ' + said if said else ''}"
        if self.get("NeedDaemonReload") == "yes":
            return f"{self.name} was changed on disk, and systemd would {verb} what it was before"
        return ""

    def trouble(self) -> str:
        """Why it does not run, after it was started; "" where it runs, or has done its work."""
        if self.is_active and self.get("NRestarts") in ("", "0"):
            return ""
        if self.has_done:
            return ""
        state = self.get("ActiveState")
        if self._loops or self.is_active:
            return f"{self.name} ends and is started again and again ({self._end() or 'see its journal'})"
        if state == "inactive":
            return f"{self.name} does not run: it ended by itself, or a Condition of the unit does not hold"
        if state == "failed":
            return f"{self.name} failed ({self._end() or 'see its journal'})"
        return f"{self.name} is {state} ({self.get('SubState')})"

    def _end(self) -> str:
        """How it ended, in a few words."""
        words = [f"Result={self._result}"] if self._result else []
        code, status = self.get("ExecMainCode"), self.get("ExecMainStatus")
        if code not in ("", "0"):
            words.append(f"exit status {status}" if code == EXITED else f"killed by signal {status}")
        return ", ".join(words)

    def part(self) -> Part:
        """The unit as a part of its colour."""
        shown = {ours: self.get(theirs) for theirs, ours in SHOWN.items()}
        return Part(
            name=self.name,
            state=self._state(),
            started_at=_time(self.get("ExecMainStartTimestamp")) or _time(self.get("ActiveEnterTimestamp")),
            detail=self._detail(),
            properties={name: value for name, value in shown.items() if value not in ("", "0")},
        )

    def _state(self) -> PartState:
        state = self.get("ActiveState")
        if self.is_active or state == "deactivating":
            return PartState.RUNNING
        if state == "activating" and not self._loops:
            return PartState.STARTING
        return PartState.STOPPED if state == "inactive" else PartState.FAILED

    def _detail(self) -> str:
        if not self.is_there:
            return self.unusable()
        if self.get("ActiveState") == "deactivating":
            return "is being stopped"
        return "" if self.is_active or self.get("ActiveState") == "inactive" else self._end()


def units_of(names: Sequence[str], output: str) -> tuple[Unit, ...]:
    """The units that were asked for, in their order. Raises ValueError where the output is none of `show`."""
    blocks = [block for block in output.strip().split("\n\n") if block.strip()]
    if len(blocks) != len(names):
        raise ValueError(f"{len(names)} units were asked for, and {len(blocks)} were told")
    return tuple(Unit(name, _properties(block)) for name, block in zip(names, blocks, strict=True))


def _properties(block: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.splitlines():
        name, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"{line!r} is no property")
        found[name] = f"{found[name]} {value}" if name in found else value  # EnvironmentFiles: a line for each
    return found


def _time(text: str) -> datetime | None:
    """`Sun 2026-11-22 03:29:47 UTC`; None for an empty one."""
    words = text.split()
    if len(words) < len(("day", "date", "time")):
        return None
    try:
        return datetime.fromisoformat(f"{words[1]}T{words[2]}").replace(tzinfo=UTC)
    except ValueError:
        return None
