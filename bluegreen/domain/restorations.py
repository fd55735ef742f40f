"""Putting a backup into service: what would be lost, who is in the way, and how far it came."""

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.migrations import Backup


class Standing(StrEnum):
    """What the databases on the server say of a restoration, by their names."""

    NOTHING = "nothing"
    """The former database is in service, and no new one is beside it."""
    BESIDE = "beside"
    """The former database is in service; a new one, complete or not, is beside it."""
    SWAPPED = "swapped"
    """The new one is in service, the former one is kept under another name."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody else's session in a database, for `seconds`."""

    pid: int
    application: str
    user: str
    client: str
    seconds: float

    @property
    def described(self) -> str:
        """How people name it."""
        name = self.application or "no name"
        return f"pid {self.pid} ({name}, user {self.user} from {self.client or 'the local socket'})"


@dataclass(frozen=True, slots=True)
class TableLoss:
    """A table that is not as the backup has it: its rows `then` and `now` (None: no such table). `exact` False: `now`
    is the server's estimate, since counting took too long. Equal numbers: rows were changed."""

    table: str
    then: int | None
    now: int | None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Losses:
    """What goes out of service when a backup comes in. `unseen`: tables of which only an estimate is known, or whose
    rows cannot be compared one by one; `migrations` were applied since, by their labels; `warnings` for people."""

    backup: Backup
    database: str
    tables: tuple[TableLoss, ...]
    unseen: tuple[str, ...]
    migrations: tuple[str, ...]
    sessions: tuple[Session, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Swapped:
    """A new database has the name of the former one, which is now called `kept`. For `seconds` nobody could connect;
    `ended` sessions were cut off; `warnings` say what the new one has not of the former one."""

    database: str
    kept: str
    seconds: float
    ended: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartedAgain:
    """A colour that was stopped for a restoration and started again; `problem` says why it is not fit for users."""

    colour: str
    release: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that is in service. The former database is called `kept`; `present` is the id of its dump ("": none
    could be made). `seconds` for all of it, `shut_out` those in which nobody could connect, `ended` sessions were cut
    off then."""

    backup: Backup
    database: str
    kept: str
    present: str
    seconds: float
    shut_out: float
    ended: int
    colours: tuple[StartedAgain, ...] = ()
    warnings: tuple[str, ...] = ()
