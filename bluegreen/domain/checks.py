"""What a check is asked of, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.domain.flows import StepTaken
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Service


@dataclass(frozen=True, slots=True)
class Target:
    """What to check: one colour, directly at its addresses, expected to run `release` ("" = any)."""

    colour: Colour
    release: str
    services: Mapping[str, Service]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's answer. `detail` says what was expected and what came, without secrets; `seconds` it took. `steps`
    are the requests of its last try, with what was asked and answered; none where it asks in another way."""

    name: str
    passed: bool
    detail: str
    seconds: float
    steps: tuple[StepTaken, ...] = ()


class Given(StrEnum):
    """What a colour gives its users that the other one must accept."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word


@dataclass(frozen=True, slots=True)
class Minted:
    """What one colour gave a user: opaque to the app, secret, kept in memory alone. `good_for`: seconds that it holds
    at least; None where it outlasts every deployment. `steps` are the requests that it took."""

    check: str
    colour: Colour
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Json = field(default=None, repr=False)
    good_for: float | None = None
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    steps: tuple[StepTaken, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontDoorAnswer:
    """What one request through the balancer's real listener got.

    `colour` is the one that served it as the access log tells, None where no line came (no answer, no log);
    `status` is None where no answer came within the timeout, and `error` then says why. `reached` is False where there
    was not even a connection: nobody listens, and that says nothing about any colour. `version`: what the answer says
    it is, "" where it does not say or nobody looks. `doubt`: why `colour` is not known, where no access log is asked.
    """

    service: str
    colour: Colour | None
    status: int | None
    seconds: float
    error: str = ""
    body: bytes = b""
    reached: bool = True
    version: str = ""
    doubt: str = ""

    @property
    def served(self) -> bool:
        """True where users would have been served: any answer that is not a server error."""
        return self.status is not None and self.status < 500
