"""A flow: a few requests in order that only mean something together, as a user who logs in makes them.

Values that an answer gives (a token, the address of a form) are used in later steps as `{name}`. They, and what the
configuration gives as values, may be secret: nothing here shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.answers import Expectations, Place
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour


@dataclass(frozen=True, slots=True)
class Step:
    """One request and what its answer must be. At most one of `form`, `json` and `body` is sent; `form` and `json` say
    their own content type. `capture`: names and where their values stand in the answer, which must have them."""

    service: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Json = None
    body: str = field(default="", repr=False)
    expect: Expectations = field(default_factory=Expectations)
    capture: Mapping[str, Place] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """How people find it: method and path, as configured."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Flow:
    """Steps in order; `timeout` in seconds for all of them, `step_timeout` for each (None: all that is left).

    `values` are given to every run, by name; neither they nor what is `hidden` beside them is ever shown.
    """

    name: str
    steps: tuple[Step, ...]
    timeout: float = 10.0
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    step_timeout: float | None = None
    hidden: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are asked, in the order in which they are first asked."""
        return tuple(dict.fromkeys(step.service for step in self.steps))


@dataclass(frozen=True, slots=True)
class StepTaken:
    """How one step of a run went; the first is number 1. `failure`: what was expected and what came, "" where all was
    well. `sent` and `got` are the request and its answer for people to read; nothing in it is secret. `address`: where
    a colour was asked, "" at the front door."""

    number: int
    title: str
    service: str
    address: str
    seconds: float
    failure: str = ""
    sent: str = ""
    got: str = ""


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """How one run of a flow went. `failure`: which step, what was expected, what came; "" where every step went well;
    nothing in it is secret.

    `colours` are those that the access log saw answer its steps: none where no line came, two where traffic is shared
    or moved meanwhile. `reached` is False where there was not even a connection, which says nothing about any colour.
    `steps` are those that were made, the last of them the one that failed.
    """

    flow: str
    failure: str
    colours: frozenset[Colour]
    seconds: float
    reached: bool = True
    steps: tuple[StepTaken, ...] = ()
