"""The port Arming in memory: which services are armed is a dictionary, and the file is what the balancer serves."""

from collections.abc import MutableMapping

from bluegreen.adapters.balancers.memory import MemoryBalancer
from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.errors import BalancerError, MovedOutside


class MemoryArming:
    """The Arming port beside a balancer in memory; arming moves nobody.

    `seen` is where planted nonces become visible at the front door (MemoryFrontDoor.pointer). Scripted from outside:
    `armed` by service, `faults` in words, `blind` True means that the balancer does not see the file, `missing` that
    there is none, `says` what a person wrote into it; `refusal` is raised by the next arm or disarm.
    """

    def __init__(self, balancer: MemoryBalancer, seen: MutableMapping[str, str], armed: Armed = Armed.OURS) -> None:
        self._balancer, self._seen = balancer, seen
        self.armed: dict[str, Armed] = dict.fromkeys(balancer.routes, armed)
        self.faults: dict[str, str] = {}
        self.blind = self.missing = False
        self.says = ""
        self.refusal: BalancerError | None = None
        self.calls: list[str] = []

    @property
    def file(self) -> str:
        """No file at all."""
        return "/memory/live"

    async def arms(self) -> tuple[Arms, ...]:
        """How each service stands."""
        traffic = await self._balancer.observe()
        return tuple(
            Arms(each.service, self.armed[each.service], each.paths, self.faults.get(each.service, ""))
            for each in traffic.services
        )

    async def arm(self) -> tuple[Arms, ...]:
        """Every service that does not serve is armed."""
        self._called("arm")
        if (await self._balancer.observe()).colour is None:
            raise MovedOutside("not one colour serves every service")
        self.faults, self.missing, self.says = {}, False, ""
        self.armed = {name: now if now is Armed.KEPT else Armed.OURS for name, now in self.armed.items()}
        return await self.arms()

    async def disarm(self) -> tuple[Arms, ...]:
        """What was armed through the API is not any more."""
        self._called("disarm")
        self.armed = {name: now if now is Armed.KEPT else Armed.BARE for name, now in self.armed.items()}
        return await self.arms()

    def snippet(self) -> str:
        """Some text."""
        return "(bluegreen_web) {\n}\n"

    async def pointed(self) -> str | None:
        """The word of where the balancer sends users, or what a person wrote."""
        if self.missing:
            return None
        traffic = await self._balancer.observe()
        stamp = f" g{traffic.generation}" if traffic.generation else ""
        return self.says or f"{traffic.colour}{stamp}"

    async def plant(self, nonce: str) -> None:
        """It is visible at the front door, unless the balancer is blind."""
        if not self.blind:
            self._seen[nonce] = await self.pointed() or ""

    def lose(self) -> None:
        """Somebody reloads the balancer from a file that knows nothing of arms."""
        self.armed = {name: now if now is Armed.KEPT else Armed.BARE for name, now in self.armed.items()}

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal
