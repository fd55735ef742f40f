"""Walks a flow: its steps in order, each with the cookies and the captured values of those before.

At the front door what an answer says is never shown: it may hold the session of a user. A failure names the step as it
is configured, what was expected of it, and the status that came. Past it, where our own users ask one colour, the
answer is quoted with everything masked that is known to be secret, or looks so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from bluegreen.adapters.front_doors.asking import Unfit, captured, in_every_spelling, needs_release, request, secret_in
from bluegreen.adapters.front_doors.cookies import Cookies
from bluegreen.adapters.front_doors.exchange import Asked, Got
from bluegreen.adapters.front_doors.telling import got_in_words, sent_in_words
from bluegreen.domain.answers import Reply
from bluegreen.domain.flows import Flow, FlowAnswer, Step, StepTaken
from bluegreen.domain.quoting import Quotes
from bluegreen.domain.traffic import Colour, Service
from bluegreen.domain.words import COLOUR, GIVEN, RELEASE

LONGEST_VALUE = 16 * 1024
"""Characters of a captured value."""


class Sends(Protocol):
    """What a walk needs of an exchange."""

    def service(self, name: str) -> Service:
        """The service of this name."""

    async def send(self, service: str, asked: Asked, timeout: float) -> Got:
        """One request, as Exchange.send makes it."""


@dataclass
class Baggage:
    """What a run takes along from step to step, and may hand on to a run elsewhere: secret, for memory alone. `hidden`
    is what must not be shown of what was captured, and every cookie there ever was."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    cookies: Cookies = field(default_factory=Cookies, repr=False)
    hidden: set[str] = field(default_factory=set, repr=False)


@dataclass(frozen=True, slots=True)
class Asking:
    """Which colour is asked: its name, the release it should run ("" unknown), and its addresses by service."""

    colour: Colour
    release: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)


async def walk(
    flow: Flow, exchange: Sends, *, baggage: Baggage | None = None, asking: Asking | None = None
) -> FlowAnswer:
    """Make the requests of a flow within its timeout, up to the first that fails. Never raises for a bad answer, and
    sends nothing twice. `baggage` is what it begins with, and holds afterwards what it ended with; with `asking` it is
    one colour that is asked, past the balancer: then the exchange is told, masked, and the release is held to."""
    run, began = _Run(flow, exchange, baggage or Baggage(), asking), monotonic()
    failure, taken = "", list[StepTaken]()
    for number, step in enumerate(flow.steps, 1):
        started = monotonic()
        failure = await run.make(step, flow.timeout - (started - began))
        spent = monotonic() - started
        title = run.quotes().path(step.title)
        taken.append(StepTaken(number, title, step.service, run.address, spent, failure, run.sent, run.got))
        if failure:
            failure = f"step {number}, {title}: {failure}"
            break
    return FlowAnswer(flow.name, failure, frozenset(run.colours), monotonic() - began, run.reached, tuple(taken))


@dataclass
class _Run:
    """One run, and what it has learned so far; `sent`, `got` and `address` are of the step that was made last."""

    flow: Flow
    exchange: Sends
    baggage: Baggage
    asking: Asking | None
    colours: set[Colour] = field(default_factory=set)
    reached: bool = True
    sent: str = ""
    got: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        own = {COLOUR: str(self.asking.colour), RELEASE: self.asking.release} if self.asking else {}
        kept = {name: value for name, value in self.baggage.values.items() if name not in GIVEN}
        self._values = {name: value for name, value in own.items() if value} | dict(self.flow.values) | kept
        self.baggage.values = self._values

    async def make(self, step: Step, seconds: float) -> str:
        """Make one step; returns what was wrong, "" where nothing was."""
        self.sent = self.got = ""
        self.address = self.asking.addresses.get(step.service, "") if self.asking else ""
        if seconds <= 0:
            return self._late
        service = self.exchange.service(step.service)
        host = _without_port(service.host or service.name).lower()
        if self.asking and RELEASE not in self._values and needs_release(step):
            return "nobody knows which release runs there, and {release} stands in the request"
        try:
            asked = request(step, self._values, self.baggage.cookies, host)
        except Unfit as exc:
            return str(exc)
        budget = min(seconds, self.flow.step_timeout or seconds)
        got = await self.exchange.send(step.service, asked, budget)
        self.reached = got.sent
        if got.colour is not None:
            self.colours.add(got.colour)
        failure = self._judge(step, got, host, asked, late=budget == seconds)
        if self.asking:
            quotes = self.quotes()
            self.sent, self.got = sent_in_words(step, asked, quotes), got_in_words(step, got, quotes)
        return failure

    def _judge(self, step: Step, got: Got, host: str, asked: Asked, *, late: bool) -> str:
        if got.status is None:
            if got.error.startswith("no answer within"):
                return self._late if late else got.error
            return got.error if self.asking else "no answer: the connection was lost"
        self.baggage.cookies.take(got.cookies, host)
        self.baggage.hidden |= self.baggage.cookies.values()
        reply = Reply(got.status, got.headers, got.body, got.whole, got.cookies)
        release = self.asking.release if self.asking else ""
        quoting = self.asking is not None
        expect = step.expect.filled(self._values)
        complaint = expect.complaint(reply, release, quoting=quoting, quotes=self.quotes())
        return complaint or self._capture(step, reply, asked.path)

    def _capture(self, step: Step, reply: Reply, path: str) -> str:
        for name, place in step.capture.items():
            try:
                value = captured(place, place.text(reply), path)
            except LookupError:
                where = f"{place.source} {place.where}".strip()
                return f"there is no {{{name}}} in the answer ({where})"
            if len(value) > LONGEST_VALUE:
                return f"{{{name}}} is longer than {LONGEST_VALUE} characters"
            self._values[name] = value
            self.baggage.hidden |= secret_in(value)
        return ""

    def quotes(self) -> Quotes:
        """Knows all that is secret by now: what is configured as values, what was captured, every cookie."""
        known = self.baggage.hidden | set(self.flow.values.values()) | self.flow.hidden
        return Quotes(in_every_spelling(known), bodies=False)

    @property
    def _late(self) -> str:
        return f"not answered within the flow's {self.flow.timeout:g} s"


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] or host
