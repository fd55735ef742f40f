"""What the verbs of upkeep answer: backups, migrations, colours by hand, tests of receivers and hooks."""

from dataclasses import dataclass

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.checks import CheckResult
from bluegreen.domain.migrations import MigrationState
from bluegreen.domain.traffic import Colour


@dataclass(frozen=True, slots=True)
class MigrationsOf:
    """The migrations of one database in order; `problem` says why they cannot be told, then there are none."""

    database: str
    items: tuple[MigrationState, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A colour that was started or stopped by hand: the release it runs now ("" stopped), and what was printed."""

    colour: Colour
    release: str
    output: str


@dataclass(frozen=True, slots=True)
class SmokeAnswer:
    """What a colour's checks say; `release` is the one it was expected to run ("" any)."""

    colour: Colour
    release: str
    passed: bool
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A test notice that was delivered, in `seconds`."""

    name: str
    key: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HookTest:
    """A resolved alert that came in by a hook and was only recorded; `firing` says what one that fires now would do,
    and `why` it would only be recorded."""

    hook: str
    listen: str
    event: str
    effect: AlertEffect
    reason: str
    firing: AlertEffect
    why: str
