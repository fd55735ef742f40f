"""What the routes that put a backup into service send, as JSON. See models.py."""

from bluegreen.interfaces.models_base import Answer, Number
from bluegreen.interfaces.models_upkeep import Backup


class ByHandCommands(Answer):
    """The lines that put a backup of `database` into service without the daemon; `#` begins an explanation."""

    backup: Backup
    database: str
    lines: tuple[str, ...]


class TableLoss(Answer):
    """A table that is not as the backup has it: its rows then and now, null where there is no such table. Equal
    numbers: rows were changed. `exact` false: `now` is an estimate."""

    table: str
    then: int | None
    now: int | None
    exact: bool


class Session(Answer):
    """Somebody's session in the database, for `seconds`."""

    pid: int
    application: str
    user: str
    client: str
    seconds: Number


class Losses(Answer):
    """What goes out of service when the backup comes in. `unseen`: tables that could not be compared row by row;
    `migrations` were applied since."""

    backup: Backup
    database: str
    tables: tuple[TableLoss, ...]
    unseen: tuple[str, ...]
    migrations: tuple[str, ...]
    sessions: tuple[Session, ...]
    warnings: tuple[str, ...]


class StartedAgain(Answer):
    """A colour that was stopped and started again; `problem` says why it is not fit for users, empty where it is."""

    colour: str
    release: str
    problem: str


class Restored(Answer):
    """A backup that is in service. The former database is called `kept`, `present` is the backup of it, empty for none.
    For `shut_out` of the `seconds` nobody could connect; `ended` sessions were cut off."""

    backup: Backup
    database: str
    kept: str
    present: str
    seconds: Number
    shut_out: Number
    ended: int
    colours: tuple[StartedAgain, ...]
    warnings: tuple[str, ...]
