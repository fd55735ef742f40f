"""The rollback-safety ledger: may a release serve on the schema as it is now?

A contract file ships with the first release that does not need the old shape any more, and runs for it. So what served
before that release needs the old shape, and may not serve again, until a backup from before the contract is restored.
What a tool of one's own does is known from its rehearsal alone; without one, nobody knows.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.migrations import PENDING, Applied, Backup, MigrationKind, MigrationPhase, MigrationState
from bluegreen.domain.phases import Phase

BY_HAND = "by-hand"
"""How the purpose begins of what was applied outside of any deployment."""


class Effect(StrEnum):
    """What an applied migration means to the releases that served before it."""

    EXPAND = "expand"
    BACKFILL = "backfill"
    CONTRACT = "contract"
    UNKNOWN = "unknown"


def effect(row: Applied) -> Effect:
    """UNKNOWN for a tool that was not rehearsed, and for what would have been refused had its file not taken it."""
    if row.phase is MigrationPhase.EXPAND:
        opaque = row.kind is MigrationKind.COMMAND and not row.gate
        return Effect.UNKNOWN if opaque or row.accepted else Effect.EXPAND
    return Effect(row.phase.value)


@dataclass(frozen=True, slots=True)
class Life:
    """When a release is known to have served users: first, and last."""

    first: datetime
    last: datetime


def lives(deployments: Iterable[Deployment], serving: str, now: datetime) -> Mapping[str, Life]:
    """When each release served, by the journal; `serving` serves now. Nobody knows of the others."""
    seen: list[tuple[str, datetime]] = [(serving, now)]
    for deployment in deployments:
        seen.append((deployment.plan.live_release, deployment.created_at))
        if deployment.moved_at is not None:
            seen.append((deployment.plan.release.version, deployment.moved_at))
            if deployment.phase is Phase.LIVE:
                seen.append((deployment.plan.release.version, deployment.ended_at or deployment.moved_at))
    times: dict[str, list[datetime]] = {}
    for release, at in seen:
        times.setdefault(release, []).append(at)
    return {release: Life(min(ats), max(ats)) for release, ats in times.items() if release not in ("", "unknown")}


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a release may serve: `barriers` are contracts that it came before, the oldest first; `doubts` are
    migrations of which nobody can tell."""

    release: str
    barriers: tuple[Applied, ...] = ()
    doubts: tuple[Applied, ...] = ()

    @property
    def serves(self) -> bool:
        """False where it needs a shape that is gone."""
        return not self.barriers


def fit(release: str, ledger: Sequence[Applied], known: Mapping[str, Life]) -> Fit:
    """Whether a release fits a schema, from its whole ledger."""
    barriers, doubts = [], []
    for row in ledger:
        what = effect(row)
        if not row.begun or what in (Effect.EXPAND, Effect.BACKFILL):
            continue
        before = came_before(release, row, known)
        if before is True and what is Effect.CONTRACT:
            barriers.append(row)
        elif before is not False:
            doubts.append(row)
    return Fit(release, tuple(barriers), tuple(doubts))


def came_before(release: str, row: Applied, known: Mapping[str, Life]) -> bool | None:
    """Whether a release served before the one that a migration was applied for; None where nobody can tell."""
    life, own = known.get(release), known.get(row.release)
    if release == row.release:
        return False
    if life is None:
        return None if older(release, row.release) else False
    if row.finished_at is not None and life.last > row.finished_at:
        return False  # it served on what this migration made
    if own is not None:
        return life.first < own.first
    return row.finished_at is None or life.first < row.finished_at


def needs_old_shape(serving: str, expand: Applied, known: Mapping[str, Life]) -> bool:
    """Whether the release that serves may need what was there before an expand: it served before that, or before the
    release that the expand came for. What was applied by hand came while a release served that knew nothing of it."""
    life, own = known.get(serving), known.get(expand.release)
    by_hand = expand.deployment.startswith(BY_HAND)
    if life is None:
        return True
    if serving == expand.release:
        return by_hand
    if own is not None and not by_hand:
        return life.first < own.first
    return expand.finished_at is None or life.first < expand.finished_at


def older(release: str, other: str) -> bool | None:
    """Whether a version is lower than another, number by number; None where the two cannot be compared."""
    mine, others = _numbers(release), _numbers(other)
    return mine < others if mine and others else None


def why_held(migration: MigrationState, states: Sequence[MigrationState]) -> str:
    """Why a contract file cannot run, as far as its own expand and backfill go; "" where nothing is missing."""
    for state in states:
        same = (state.source, state.version) == (migration.source, migration.version)
        if same and state.phase is not migration.phase and state.state not in ("done", "skipped"):
            how = "was never applied" if state.state == PENDING else f"is {state.state}"
            return f"its {state.phase} {how}"
    return ""


def backup_before(row: Applied, backups: Iterable[Backup]) -> Backup | None:
    """The last backup of its database from before a migration; None where none is kept."""
    own = [backup for backup in backups if backup.database == row.database]
    same = [backup for backup in own if backup.deployment == row.deployment]
    earlier = [backup for backup in own if row.finished_at is None or backup.taken_at <= row.finished_at]
    return max(same or earlier, key=lambda backup: backup.taken_at, default=None)


def _numbers(version: str) -> tuple[int, ...]:
    found = re.fullmatch(r"v?(\d+(?:\.\d+)*)(?:[-+].*)?", version)
    return tuple(map(int, found[1].split("."))) if found else ()
