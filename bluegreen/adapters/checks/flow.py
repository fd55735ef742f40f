"""Walks a flow past the balancer, at one colour's own addresses, as a user who came through the balancer would.

A run keeps to one address of each service, since sessions may stick to a process; there are as many runs as the
service with the most addresses has, so that each address is asked. The colour is told what the balancer would tell it:
the site in Host, and X-Forwarded-Host and -Proto by which it sets Secure cookies and makes addresses.
"""

from collections.abc import Mapping
from dataclasses import replace

from bluegreen.adapters.checks.attempts import Finding, until_passed
from bluegreen.adapters.checks.direct import Direct
from bluegreen.adapters.front_doors.exchange import Asked, Got
from bluegreen.adapters.front_doors.flow import Asking, Baggage, walk
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.flows import Flow, FlowAnswer, StepTaken
from bluegreen.domain.traffic import Service


class Run:
    """What one run asks: `addresses` by service, of one colour."""

    def __init__(self, services: Mapping[str, Service], addresses: Mapping[str, str], scheme: str) -> None:
        self._services, self._scheme, self._direct = services, scheme, Direct()
        self.addresses = addresses

    def service(self, name: str) -> Service:
        """One of the services."""
        return self._services[name]

    async def send(self, service: str, asked: Asked, timeout: float) -> Got:
        """One request at the run's address of this service, as the balancer would pass it on."""
        to = self._services[service]
        passed_on = {"X-Forwarded-Proto": self._scheme} | ({"X-Forwarded-Host": to.host} if to.host else {})
        given = {name.lower() for name in asked.headers}
        headers = {name: value for name, value in passed_on.items() if name.lower() not in given}
        asked = replace(asked, headers={**headers, **asked.headers})
        return await self._direct.send(to, self.addresses[service], asked, timeout)


def runs(flow: Flow, target: Target, scheme: str) -> list[Run]:
    """The runs that ask every address of the services in a flow. Raises LookupError where one has none."""
    known = {name: target.services[name] for name in flow.services if name in target.services}
    where = {name: service.addresses.get(target.colour, ()) for name, service in known.items()}
    missing = [name for name in flow.services if not where.get(name)]
    if missing:
        raise LookupError(f"{target.colour} has no address of {', '.join(missing)}")
    most = max(map(len, where.values()))
    return [Run(known, {name: at[number % len(at)] for name, at in where.items()}, scheme) for number in range(most)]


async def walked(flow: Flow, run: Run, target: Target, baggage: Baggage | None = None) -> FlowAnswer:
    """One run, within the flow's own budget."""
    return await walk(flow, run, baggage=baggage, asking=Asking(target.colour, target.release, run.addresses))


def in_words(answer: FlowAnswer) -> str:
    """Where a run failed, what was asked there, what came, and what was expected; "" where it did not."""
    if not answer.failure:
        return ""
    last = answer.steps[-1]
    told = f" (asked: {last.sent}; answered: {last.got})" if last.sent else ""
    return f"{last.service} at {last.address}: {answer.failure}{told}"


def finding(answers: list[FlowAnswer]) -> Finding:
    """What the runs of a flow found together."""
    failures = [text for answer in answers if (text := in_words(answer))]
    steps: tuple[StepTaken, ...] = tuple(step for answer in answers for step in answer.steps)
    places = ", ".join(dict.fromkeys(step.address for step in steps))
    return Finding(not failures, "; ".join(failures) or f"{len(steps)} steps as expected at {places}", steps)


class FlowCheck:
    """The Checker port on a flow. `scheme` is what users come by; a try is one run at every address."""

    def __init__(self, flow: Flow, *, scheme: str = "https", retries: int = 0, retry_delay: float = 1.0) -> None:
        """`retries` further tries, `retry_delay` seconds apart."""
        self._flow, self._scheme = flow, scheme
        self._retries, self._retry_delay = retries, retry_delay

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._flow.name

    async def check(self, target: Target) -> CheckResult:
        """Walk it at every address; passed when every step went as expected."""
        return await until_passed(self.name, lambda: self._walk(target), self._retries, self._retry_delay)

    async def _walk(self, target: Target) -> Finding:
        try:
            found = runs(self._flow, target, self._scheme)
        except LookupError as exc:
            return Finding(False, str(exc.args[0]))
        return finding([await walked(self._flow, run, target) for run in found])
