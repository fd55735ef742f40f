"""What the settings say of rehearsals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class RehearsalRules:
    """[rehearsal]. `copy` "backup" restores the verified backup with its rows where the database has at most `max_size`
    bytes; else, and with "schema", the schema alone is copied. `timeout` seconds for all of it, `statement_timeout` for
    each statement, `probe_budget` for the questions to production. `queries`: a file of what the running version asks.
    `tool_role` "own": tools run as the role of the DSN, not as a temporary one."""

    copy: Literal["schema", "backup"] = "schema"
    max_size: int = 1024**3
    timeout: float = 600.0
    statement_timeout: float = 60.0
    probe_budget: float = 20.0
    queries: Path | None = None
    tool_role: Literal["temporary", "own"] = "temporary"
