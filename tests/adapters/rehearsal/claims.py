"""The claim that a rehearsal makes about each migration of the corpus, beside the truth that running it has found."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import MigrationFailed, RehearsalFailed
from bluegreen.domain.findings import Gate, Rehearsal
from bluegreen.domain.migrations import Backup, MigrationPhase
from tests import thorough
from tests.adapters.rehearsal.cases import Case, cases, queries
from tests.adapters.rehearsal.servers import Shops
from tests.adapters.rehearsal.truth import Found, Truth, Verifier
from tests.adapters.sites import RELEASE

AT_ONCE = 2
TURNS = 40
CRASHED = "crashed"
SAFE_ONES_REFUSED = 18
"""One in so many is the most that may be."""


CATALOGUES = (
    "pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_inherits", "pg_proc", "pg_type",
    "pg_enum", "pg_trigger", "pg_policy", "pg_rewrite", "pg_namespace", "pg_sequence", "pg_default_acl",
    "pg_statistic_ext",
)  # fmt: skip
WRITTEN = "SELECT md5(concat_ws(' ', {}))".format(
    ", ".join(f"(SELECT string_agg(xmin || ' ' || ctid, ',' ORDER BY ctid) FROM {table})" for table in CATALOGUES)
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the rehearsal said; `changed` is what it did to production."""

    gate: Gate
    kinds: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One migration: the truth, and the claim."""

    case: Case
    found: Found
    claim: Claim

    @property
    def harmful(self) -> bool:
        """Whether it must be refused: all but the safe ones."""
        return self.found.truth is not Truth.SAFE

    @property
    def line(self) -> str:
        """For people."""
        kinds = ", ".join(self.claim.kinds) or "-"
        return f"{self.case.name:55} {self.found.truth:8} {self.claim.gate:7} {kinds}"


@dataclass
class Court:
    """Judges the corpus on one server. Production is a populated copy that all rehearsals share; what a tool does
    cannot be held back for certain, so it has a production of its own."""

    shops: Shops
    home: Path
    verifier: Verifier
    from_statistics: bool = False
    production: str = ""
    backup: Backup | None = None

    @property
    def queries(self) -> Path:
        """What the old version asks, as the operator's file says it."""
        return self.home / "queries.sql"

    async def judge(self, chosen: Sequence[Case]) -> list[Judged]:
        """All of them, in their order."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> Judged:
            async with turns:
                return Judged(case, await self.verifier.truth(case), await self.claim(case))

        async with self.shops.copy() as self.production:
            await self.old_version_known()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(case), name=case.name) for case in chosen]
        return [task.result() for task in tasks]

    async def old_version_known(self) -> None:
        """Let the rehearsal know what the old version asks."""
        if self.from_statistics:
            async with self.shops.connected(self.production) as connection:
                await connection.execute("CREATE EXTENSION pg_stat_statements")
            await self.verifier.day(self.production)
        else:
            text = "".join(f"{query.text};\n" for query in queries())
            await asyncio.to_thread(self.queries.write_text, text)

    async def claim(self, case: Case) -> Claim:
        """What a rehearsal says of it."""
        async with self.shops.copy() if case.command else nullcontext(self.production) as production:
            site = self.verifier.site(case, production)
            rules = RehearsalRules(
                copy="backup" if self.backup else "schema", queries=self.queries if self.queries.exists() else None
            )
            before = await self._look(production)
            try:
                purpose = case.name.replace("-", "_")[:20] + site.home.name[-6:]
                rehearsal = await site.database(rehearsal=rules).rehearse(
                    RELEASE, (MigrationPhase.EXPAND,), purpose, backup=self.backup
                )
            except (MigrationFailed, RehearsalFailed) as exc:
                kind = CRASHED if isinstance(exc, RehearsalFailed) else "unreadable"
                return Claim(Gate.REFUSE, (kind,), (exc.detail,), changed=await self._look(production) != before)
            return _claim(rehearsal, changed=await self._look(production) != before)

    async def _look(self, production: str) -> str:
        """Every row of the catalogue by who wrote it: whatever is made, changed or dropped shows, and costs little."""
        async with self.shops.connected(production) as connection:
            return str(await connection.fetchval(WRITTEN))


def _claim(rehearsal: Rehearsal, *, changed: bool) -> Claim:
    findings = [finding for file in rehearsal.files for finding in file.findings]
    return Claim(
        rehearsal.gate,
        tuple(dict.fromkeys(finding.kind for finding in findings)),
        tuple(f"{finding.gate} {finding.kind} {finding.object}: {finding.message}" for finding in findings),
        rehearsal.not_seen,
        changed,
    )


async def judge(server: EmbeddedPostgres, home: Path, turn: int, *, from_statistics: bool = False) -> list[Judged]:
    """What is judged on this server in this `turn`."""
    async with Shops(server).open() as shops:
        verifier = Verifier(shops, home)
        await verifier.prepare()
        return await Court(shops, home, verifier, from_statistics).judge(chosen(shops.major, turn))


def chosen(major: int, turn: int) -> list[Case]:
    """What is judged on this server: every 40th migration, on each server others, so that it takes seconds;
    in `make test-all` every one that fits the server, which takes minutes."""
    fit = [case for case in cases() if case.since <= major]
    if thorough.ALL:
        return fit
    return [case for number, case in enumerate(fit) if number % TURNS == turn]


def wrong_expectations(judged: Sequence[Judged]) -> list[str]:
    """Where the author of the corpus and the verifier are not of one mind: one of them is wrong."""
    return [
        f"{one.case.name}: expected {one.case.expected}, is {one.found.truth}: {one.found.why[:2]}"
        for one in judged
        if one.case.expected != one.found.truth
    ]


def crashed(judged: Sequence[Judged]) -> list[str]:
    """Rehearsals that could not be held: what they did not see they cannot refuse."""
    return [f"{one.line} {one.claim.messages}" for one in judged if CRASHED in one.claim.kinds]


def let_through(judged: Sequence[Judged]) -> list[str]:
    """Harmful ones that the rehearsal did not refuse, or not even warn of where that will do."""
    return [
        f"{one.line}\n    {one.found.why[:2]}"
        for one in judged
        if one.harmful and not (one.claim.gate is Gate.REFUSE or (one.case.only_warned and one.claim.gate is Gate.WARN))
    ]


def refused_in_vain(judged: Sequence[Judged]) -> list[str]:
    """Safe ones that it refused."""
    return [
        f"{one.line}\n    {[m for m in one.claim.messages if m.startswith('refuse')][:2]}"
        for one in judged
        if not one.harmful and one.claim.gate is Gate.REFUSE
    ]


def too_strict(judged: Sequence[Judged]) -> list[str]:
    """Those, where they are more than one in eighteen; of a part of the corpus one may always be."""
    refused, safe = refused_in_vain(judged), [one for one in judged if not one.harmful]
    return refused if len(refused) > max(len(safe) // SAFE_ONES_REFUSED, 1) else []


def production_changed(judged: Sequence[Judged]) -> list[str]:
    """Rehearsals that reached production, but for a tool that ignores its DSN: it can only be found out."""
    return [one.line for one in judged if one.claim.changed and one.found.truth is not Truth.ESCAPES]
