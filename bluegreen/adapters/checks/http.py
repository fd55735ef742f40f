"""Asks a colour over HTTP, directly at every one of its addresses: users could be sent to any of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bluegreen.adapters.checks.attempts import Finding, until_passed
from bluegreen.adapters.checks.direct import LONGEST, Direct
from bluegreen.adapters.front_doors.asking import in_every_spelling
from bluegreen.adapters.front_doors.exchange import Asked, Got
from bluegreen.adapters.front_doors.telling import got_in_words, sent_in_words
from bluegreen.domain.answers import Expectations, Reply
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.flows import Step, StepTaken
from bluegreen.domain.quoting import Quotes
from bluegreen.domain.traffic import Service
from bluegreen.domain.words import COLOUR, RELEASE

__all__ = ["LONGEST", "HttpCheck", "HttpSpec"]


@dataclass(frozen=True, slots=True)
class HttpSpec:
    """One HTTP check. `service` None: every service of the colour.

    `timeout` in seconds for one address in one try; `retries` further tries, `retry_delay` seconds apart.
    `verify` None: certificates are verified where `ca_file` is set. Texts in `expect` may name {release} and {colour};
    what is `hidden` is never shown.
    """

    name: str
    service: str | None = None
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    expect: Expectations = field(default_factory=Expectations)
    timeout: float = 5.0
    retries: int = 0
    retry_delay: float = 1.0
    verify: bool | None = None
    ca_file: Path | None = None
    hidden: frozenset[str] = field(default=frozenset(), repr=False)


class HttpCheck:
    """The Checker port over HTTP. Redirects are answers, not followed; cookies are not kept."""

    def __init__(self, spec: HttpSpec) -> None:
        self._spec = spec
        self._direct = Direct(verify=spec.verify, ca_file=spec.ca_file)
        self._step = Step(spec.service or "", spec.path, spec.method, expect=spec.expect)
        self._quotes = Quotes(in_every_spelling(spec.hidden))

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._spec.name

    async def check(self, target: Target) -> CheckResult:
        """Ask every address; passed when all answer as expected."""
        return await until_passed(self.name, lambda: self._ask_all(target), self._spec.retries, self._spec.retry_delay)

    async def _ask_all(self, target: Target) -> Finding:
        asked = [
            (service, address)
            for name, service in target.services.items()
            if self._spec.service in (None, name)
            for address in service.addresses.get(target.colour, ())
        ]
        if not asked:
            return Finding(False, f"{target.colour} has no address of {self._spec.service or 'any service'}")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(*at, target), name=f"check:{self.name}:{at[1]}") for at in asked]
        steps = tuple(task.result() for task in tasks)
        complaints = [f"{each.service} at {each.address}: {each.failure}" for each in steps if each.failure]
        return Finding(not complaints, "; ".join(complaints) or f"as expected at {_and(asked)}", steps)

    async def _ask(self, service: Service, address: str, target: Target) -> StepTaken:
        """Ask one address once."""
        spec, began = self._spec, monotonic()
        asked = Asked(spec.path, spec.method, spec.headers, spec.body, LONGEST)
        got = await self._direct.send(service, address, asked, spec.timeout)
        return StepTaken(
            number=1,
            title=self._quotes.path(self._step.title),
            service=service.name,
            address=address,
            seconds=monotonic() - began,
            failure=self._complaint(got, target),
            sent=sent_in_words(self._step, asked, self._quotes),
            got=got_in_words(self._step, got, self._quotes),
        )

    def _complaint(self, got: Got, target: Target) -> str:
        """What is wrong with an answer; "" where nothing is."""
        if got.status is None:
            return got.error
        known = {COLOUR: str(target.colour)} | ({RELEASE: target.release} if target.release else {})
        reply = Reply(got.status, got.headers, got.body, got.whole, got.cookies)
        return self._spec.expect.filled(known).complaint(reply, target.release, quotes=self._quotes)


def _and(asked: list[tuple[Service, str]]) -> str:
    return ", ".join(address for _, address in asked)
