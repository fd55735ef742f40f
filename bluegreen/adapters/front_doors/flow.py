"""Walks a flow: its steps in order, each with the cookies and the captured values of those before.

What an answer says is never shown: it may hold the session of a user. A failure names the step as it is configured,
what was expected of it, and the status that came.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from bluegreen.adapters.front_doors.cookies import Cookies
from bluegreen.adapters.front_doors.exchange import Asked, Got
from bluegreen.domain.answers import Reply
from bluegreen.domain.flows import Flow, FlowAnswer, Step
from bluegreen.domain.traffic import Colour, Service

LONGEST_PAGE = 1024 * 1024
"""Bytes of an answer in which values are looked for: a login page with its styles inside is long."""

LONGEST_VALUE = 16 * 1024
"""Characters of a captured value."""

WORD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A value by its name."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Sends(Protocol):
    """What a walk needs of an exchange."""

    def service(self, name: str) -> Service:
        """The service of this name."""

    async def send(self, service: str, asked: Asked, timeout: float) -> Got:
        """One request, as Exchange.send makes it."""


class Unfit(ValueError):
    """A value that cannot be sent where it is to stand; the message does not show it."""


async def walk(flow: Flow, exchange: Sends) -> FlowAnswer:
    """Make the requests of a flow within its timeout, up to the first that fails. Never raises for a bad answer, and
    sends nothing twice."""
    run, began = _Run(flow, exchange), monotonic()
    failure = ""
    for number, step in enumerate(flow.steps, 1):
        failure = await run.make(step, flow.timeout - (monotonic() - began))
        if failure:
            failure = f"step {number}, {step.title}: {failure}"
            break
    return FlowAnswer(flow.name, failure, frozenset(run.colours), monotonic() - began, run.reached)


@dataclass
class _Run:
    """One run, and what it has learned so far."""

    flow: Flow
    exchange: Sends
    cookies: Cookies = field(default_factory=Cookies)
    colours: set[Colour] = field(default_factory=set)
    reached: bool = True

    def __post_init__(self) -> None:
        self._values = dict(self.flow.values)

    async def make(self, step: Step, seconds: float) -> str:
        """Make one step; returns what was wrong, "" where nothing was."""
        if seconds <= 0:
            return self._late
        service = self.exchange.service(step.service)
        host = (service.host or service.name).rpartition(":")[0] or (service.host or service.name)
        try:
            asked = request(step, self._values, self.cookies, host.lower())
        except Unfit as exc:
            return str(exc)
        got = await self.exchange.send(step.service, asked, seconds)
        self.reached = got.sent
        if got.colour is not None:
            self.colours.add(got.colour)
        if got.status is None:
            return self._late if got.error.startswith("no answer within") else "no answer: the connection was lost"
        self.cookies.take(got.cookies, host.lower())
        reply = Reply(got.status, got.headers, got.body, got.whole)
        return step.expect.complaint(reply, "", quoting=False) or self._capture(step, reply)

    def _capture(self, step: Step, reply: Reply) -> str:
        for name, place in step.capture.items():
            try:
                value = place.text(reply)
            except LookupError:
                return f"there is no {{{name}}} in the answer ({place.source} {place.where})"
            if len(value) > LONGEST_VALUE:
                return f"{{{name}}} is longer than {LONGEST_VALUE} characters"
            self._values[name] = value
        return ""

    @property
    def _late(self) -> str:
        return f"not answered within the flow's {self.flow.timeout:g} s"


def request(step: Step, values: Mapping[str, str], cookies: Cookies, host: str) -> Asked:
    """A step as it is sent. Raises Unfit where a value cannot stand where it is to."""
    path = _path(step.path, values)
    headers = {name: _header(name, filled(text, values)) for name, text in step.headers.items()}
    sent = cookies.header(host, path)
    if sent:
        headers["Cookie"] = _header("Cookie", sent)
    body, kind = _body(step, values)
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return Asked(path, step.method, headers, body, LONGEST_PAGE)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with the values it names. Braces around anything else stay as they are."""
    return WORD.sub(lambda found: values.get(found[1], found[0]), text)


def _body(step: Step, values: Mapping[str, str]) -> tuple[bytes, str]:
    if step.form:
        form = {name: filled(text, values) for name, text in step.form.items()}
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    if step.json is not None:
        return json.dumps(_leaves(step.json, values)).encode(), "application/json"
    return filled(step.body, values).encode(), ""


def _leaves(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value whose texts are filled in; its names stay."""
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, Mapping):
        return {name: _leaves(each, values) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_leaves(each, values) for each in value]
    return value


def _path(path: str, values: Mapping[str, str]) -> str:
    """The path to ask for. A path that is one value as a whole may be a whole address, of which path and query count:
    it is the front door that is asked, whatever an answer says; elsewhere in a path a value is percent-encoded."""
    alone = WORD.fullmatch(path)
    if alone is None:
        return WORD.sub(lambda found: quote(values[found[1]], safe="") if found[1] in values else found[0], path)
    value = values.get(alone[1], path)
    try:
        url = urlsplit(value)
    except ValueError as exc:
        raise Unfit(f"{path} is no address") from exc
    place = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if not place.startswith("/") or CONTROL.search(place) or not place.isascii() or " " in place:
        raise Unfit(f"{path} is no path")
    return place


def _header(name: str, value: str) -> str:
    if CONTROL.search(value):
        raise Unfit(f"a value does not fit into the header {name}: it has control characters")
    return value
