"""`bluegreen env check`: the comparison of the variables by hand, at any time. Nothing is changed."""

from bluegreen.app import environments, planning, variables
from bluegreen.app.requests import Caller
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import VariableCheck
from bluegreen.domain.errors import NotFound, ReleaseInvalid, RequestRefused


class VariableChecks(Upkeep):
    """The use case of `bluegreen env check`."""

    async def check_variables(self, name: str, caller: Caller) -> VariableCheck:
        """Compare for a release, by default the one that is live. Raises NotFound where nothing is configured,
        VariablesUnreadable, ReleaseInvalid, RequestRefused, BalancerError."""
        live = await planning.live_colour(self._world)
        named = name or await environments.ran_last(self._world, live)
        if not named:
            raise RequestRefused(
                f"nobody knows which release {live} runs: name the one to check", next=("bluegreen env check RELEASE",)
            )
        try:
            release = await self._world.read_release(named)
        except ReleaseInvalid as exc:
            if name:
                raise
            lead = f"{live} runs {named}, and without a name that is what is checked: "
            raise ReleaseInvalid(lead + exc.detail, next=("bluegreen env check RELEASE",), release=named) from exc
        await self._world.journal.audit(self._hand_row(caller, "env check", "", after=release.version))
        found = await variables.look(self._world, release, live)
        if found is None:
            key = f"environments.{live.other}.env_files"
            raise NotFound(
                f"no files of variables are configured for {live.other}: [environments.{live.other}] env_files",
                next=(f"bluegreen config docs {key}",),
            )
        if found.problem is not None:
            raise found.problem
        return VariableCheck(
            release=release.version,
            live=live,
            idle=live.other,
            passed=not found.refused,
            findings=found.findings,
            doubts=found.doubts,
            changed=found.changed or (),
            counts=found.counts or {},
        )
