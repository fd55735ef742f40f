"""`bluegreen caddy arm`, `disarm` and what they show: the balancer is set up so that a switch is a change of one file.

Nobody is moved by it: the same colour serves before and after, and that is proved through the front door. What cannot
be proved is taken back at once.
"""

from contextlib import suppress

from bluegreen.app.arrival import PROOF_SECONDS, prove
from bluegreen.app.pointer import DISARMED, verify_pointer
from bluegreen.app.requests import Caller
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import BalancerSetup, CaddyfileLines
from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.errors import BalancerError, BluegreenError, ConnectionLost, RequestRefused, StepFailed
from bluegreen.domain.traffic import Colour
from bluegreen.ports_traffic import Arming

IN_FILE = "where the arms stand in the Caddyfile: take the import out there, then: systemctl reload caddy"

POINTER, REWRITE = "pointer", "rewrite"


class ArmingOrders(Upkeep):
    """Use cases of `bluegreen caddy`."""

    async def setup(self) -> BalancerSetup:
        """How the balancer is set up for a switch, service by service. Raises BalancerError."""
        arming = self._world.arming
        if arming is None:
            traffic = await self._world.balancer.observe()
            bare = tuple(Arms(each.service, Armed.BARE, each.paths) for each in traffic.services)
            return BalancerSetup(REWRITE if self._is_caddy else self._world.balancer_name.lower(), bare)
        says = await arming.pointed()
        return BalancerSetup(POINTER, await arming.arms(), arming.file, says)

    def caddyfile_lines(self) -> CaddyfileLines:
        """The lines for the operator's own file, with the secret of the preview in clear: only for who may know it.
        None in any other mode than "pointer"."""
        return CaddyfileLines(self._world.arming.snippet() if self._world.arming is not None else "")

    async def arm(self, caller: Caller, reason: str = "") -> BalancerSetup:
        """Set up every service, then prove that users stay and that Caddy sees the file; else all is as it was.

        Raises RequestRefused in mode "rewrite", DeploymentInProgress, BalancerError, StepFailed.
        """
        arming = self._arming("armed")
        row = self._hand_row(caller, "caddy arm", reason, after=arming.file)
        async with (
            self._alone(row, f"the routes are being armed ({caller.who})"),
            self._told_of("caddy.armed", "caddy.not_armed", by=caller.who) as facts,
        ):
            colour = await self._one_colour()
            facts |= {"colour": colour, "file": arming.file}
            with suppress(ConnectionLost):  # settled by the look below
                await arming.arm()
            await self._prove_armed(arming, colour)
            await self._world.journal.forget(*DISARMED)
            await self._world.journal.claim("wanted", "colour", colour)  # nothing was deployed yet: drift is seen now
        return await self.setup()

    async def disarm(self, caller: Caller, reason: str = "") -> BalancerSetup:
        """Put the operator's own routes back, sending users where they are. No deployment starts until it is armed
        again, or the mode is another. Raises as `arm` does."""
        arming = self._arming("disarmed")
        row = self._hand_row(caller, "caddy disarm", reason, after="the routes as they were")
        async with (
            self._alone(row, f"the routes are being disarmed ({caller.who})"),
            self._told_of("caddy.disarmed", "caddy.not_disarmed", by=caller.who) as facts,
        ):
            facts["colour"] = colour = await self._one_colour()
            await self._world.journal.keep(*DISARMED, caller.who)
            try:
                with suppress(ConnectionLost):
                    await arming.disarm()
                await self._prove_disarmed(arming, colour)
            except BluegreenError:
                if await self._stands(arming):  # a reload that takes the arms away later is nobody's wish
                    await self._world.journal.forget(*DISARMED)
                raise
        return await self.setup()

    @property
    def _is_caddy(self) -> bool:
        return self._world.balancer_name == "Caddy"

    def _arming(self, done: str) -> Arming:
        if not self._is_caddy:
            name = self._world.balancer_name
            raise RequestRefused(f"arms are for Caddy, and the balancer here is {name}", next=("bluegreen status",))
        if self._world.arming is None:
            raise RequestRefused(
                f'nothing is {done} in mode "rewrite": a switch rewrites the upstreams through the admin API',
                next=('set [caddy] mode = "pointer", then: bluegreen reload', "bluegreen config docs caddy.mode"),
            )
        return self._world.arming

    async def _one_colour(self) -> Colour:
        traffic = await self._world.balancer.observe()
        if traffic.colour is None:
            raise RequestRefused(
                f"not one colour serves every service ({traffic.describe()}): it could not be told whether users stay",
                next=("bluegreen status",),
            )
        return traffic.colour

    async def _stands(self, arming: Arming) -> bool:
        """Whether every service is still armed, as far as that can be told."""
        try:
            return all(arms.serves for arms in await arming.arms())
        except BalancerError:
            return False

    async def _prove_armed(self, arming: Arming, colour: Colour) -> None:
        """What is not proved is taken back; whoever reads why also reads whether that succeeded."""
        try:
            await prove(self._world, colour, PROOF_SECONDS)
            problems = await verify_pointer(self._world)
        except StepFailed as exc:
            problems = (exc,)
        if problems:
            taken_back = await self._take_back(arming, colour)
            commands = tuple(dict.fromkeys(step for problem in problems for step in problem.next))
            why = "; ".join(problem.detail for problem in problems)
            raise StepFailed(f"{why}. {taken_back}", next=(*commands, "bluegreen caddy arm"))

    async def _take_back(self, arming: Arming, colour: Colour) -> str:
        try:
            with suppress(ConnectionLost):
                await arming.disarm()
            await self._prove_disarmed(arming, colour)
        except BluegreenError as exc:
            return f"To disarm again failed, too: {exc.detail}"
        return f"So it was disarmed again: the routes are as they were, users are on {colour}"

    async def _prove_disarmed(self, arming: Arming, colour: Colour) -> None:
        left = [arms.service for arms in await arming.arms() if arms.armed in (Armed.OURS, Armed.OUTDATED)]
        if left:
            raise BalancerError(f"{', '.join(left)} is still armed", next=("bluegreen caddy disarm", IN_FILE))
        await prove(self._world, colour, PROOF_SECONDS)
