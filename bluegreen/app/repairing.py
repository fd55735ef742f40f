"""`migrate repair`: an operator takes files and schema as they are, or says whether a statement took effect."""

from bluegreen.app.requests import Caller
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import Repaired
from bluegreen.domain.errors import NotFound
from bluegreen.ports_database import Database


class Repairing(Upkeep):
    """Use cases that correct what the ledger says. No migration runs in them."""

    async def repair(self, caller: Caller, reason: str = "", *, indexes: bool = False) -> tuple[Repaired, ...]:
        """Every database: see `Migrations.repair` of the port. Raises MigrationFailed, LockBusy, DeploymentInProgress;
        NotFound where no database is configured."""
        databases = self._world.databases
        if not databases:
            raise NotFound("no database is configured", next=("bluegreen config docs databases",))
        row = self._hand_row(caller, "migrate repair", reason, after=", ".join(databases))
        async with self._alone(row, f"the ledger is being repaired ({caller.who})"):
            return tuple([await self._repair(database, caller, indexes) for database in databases.values()])

    async def settle(self, label: str, caller: Caller, reason: str = "", *, applied: bool) -> Repaired:
        """Say whether a migration that was cut off took effect, or that one that is pending need not run. Raises
        NotFound, MigrationFailed, LockBusy, DeploymentInProgress."""
        database = await self._with(label)
        word = "applied" if applied else "not applied"
        row = self._hand_row(caller, "migrate repair", reason, after=f"{label}: {word}")
        async with (
            self._alone(row, f"the ledger is being repaired ({caller.who})"),
            self._told_of(
                "migration.settled", "migration.not_settled", migration=label, applied=applied, by=caller.who
            ),
            database.locked(),
        ):
            done = await database.settle(label, applied=applied, by=caller.who)
        return Repaired(database.name, (done,))

    async def _repair(self, database: Database, caller: Caller, indexes: bool) -> Repaired:
        async with self._told_of(
            "ledger.repaired", "ledger.not_repaired", database=database.name, by=caller.who
        ) as facts:
            what = f"the ledger of {database.name} is being repaired"
            async with self._world.turn.taken(what), database.locked():
                done = await database.repair(indexes=indexes)
            facts["done"] = list(done)
        return Repaired(database.name, done)

    async def _with(self, label: str) -> Database:
        """The database that has this migration."""
        for database in self._world.databases.values():
            if label in [state.label for state in (await database.schema()).migrations]:
                return database
        raise NotFound(f"there is no migration {label}", next=("bluegreen migrate status",))
