"""From lines of the log to a verdict with its reason: what classes of routes, clients and routes are for."""

import random
from collections.abc import Sequence

import pytest

from bluegreen.adapters.signals.access_clients import Clients
from bluegreen.adapters.signals.access_fields import decoder
from bluegreen.adapters.signals.access_lines import AccessLines
from bluegreen.adapters.signals.access_routes import RouteClass, Routes
from bluegreen.app.watch import Watch
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.rules import SIGNALS, SignalRule
from bluegreen.domain.traffic import Colour
from tests.adapters.signals.heard import BLUE, GREEN, SERVICES, Frozen, line
from tests.domain.examples import plan, terms

LOGIN = RouteClass("login", ("/login",))
DIALS = {BLUE: "127.0.0.1:1001", GREEN: "127.0.0.1:2001"}


def rules(classes: Sequence[RouteClass]) -> tuple[SignalRule, ...]:
    """The usual signals, the weight of auth shared with the classes."""
    shared = 0.2 / (1 + len(classes))
    others = tuple(rule for rule in SIGNALS if rule.name != "auth")
    return (*others, *(SignalRule(name, shared) for name in ("auth", *(each.signal for each in classes))))


class Site:
    """Users of a site whose log is read, second by second."""

    def __init__(self, classes: Sequence[RouteClass], seed: int = 1) -> None:
        self.clock, self.random = Frozen(), random.Random(seed)
        self.watch = Watch(self.clock, ())
        self.watch.moved(BLUE)
        self.terms = terms(signals=rules(classes), slow_floor=5.0)
        self.lines = AccessLines(SERVICES, decoder("X-P"), lambda *_: None, Routes(classes), Clients(b"key"))

    def serve(self, colour: Colour, seconds: int, denied: float) -> None:
        """Each second 30 sessions are checked, two in five of them expired, and 2 users log in: `denied` in vain."""
        for _ in range(seconds):
            checked = [self._one(colour, "/whoami", "GET", 0.4) for _ in range(30)]
            logins = [self._one(colour, "/login?flow=secret", "POST", denied) for _ in range(2)]
            self.report(checked + logins)

    def report(self, lines: list[bytes]) -> None:
        """A second passes, and these lines were written."""
        self.clock.t += 1
        self.watch.tick()
        for batch in self.lines.add_up([text.rstrip() for text in lines]):
            self.watch.report(batch)

    def switch(self) -> None:
        self.watch.open(GREEN, plan(terms=self.terms))
        self.watch.moved(GREEN)

    def judged(self) -> Judgement:
        judgement = self.watch.judge(self.terms)
        assert judgement is not None
        return judgement

    def _one(self, colour: Colour, uri: str, method: str, denied: float) -> bytes:
        client = f"10.0.{self.random.randrange(200)}.{self.random.randrange(250)}"
        status = 401 if self.random.random() < denied else 200
        return line(status, DIALS[colour], uri=uri, method=method, client=client)


async def test_a_broken_login_is_seen_behind_hundreds_of_expired_sessions() -> None:
    classed, plain = Site([LOGIN]), Site([])
    for site in (classed, plain):
        site.serve(BLUE, 600, denied=0.05)
        site.switch()
        site.serve(GREEN, 15, denied=0.9)
    judgement = classed.judged()
    assert judgement.verdict is Verdict.REGRESSED
    assert judgement.reasons[0].startswith("auth:login ")
    assert "POST /login of web" in judgement.reasons[0]
    assert "secret" not in repr(judgement)
    assert plain.judged().verdict is not Verdict.REGRESSED, "as one signal with the sessions it would drown"


async def test_the_same_release_with_a_class_is_not_cut_back_for_nothing() -> None:
    site = Site([LOGIN])
    site.serve(BLUE, 600, denied=0.05)
    site.switch()
    site.serve(GREEN, 300, denied=0.05)
    assert site.judged().verdict is not Verdict.REGRESSED


@pytest.mark.parametrize(("clients", "verdict"), [(1, False), (40, True)])
async def test_one_client_that_hammers_a_broken_page_is_no_worse_release(clients: int, verdict: bool) -> None:
    site = Site([])
    site.serve(BLUE, 600, denied=0.05)
    site.switch()
    for _ in range(20):
        hammered = [
            line(500, DIALS[GREEN], uri="/reports/7", client=f"192.0.2.{site.random.randrange(clients)}")
            for _ in range(20)
        ]
        site.report([*hammered, *[line(200, DIALS[GREEN], client=f"10.0.0.{number}") for number in range(40)]])
    judgement = site.judged()
    assert (judgement.verdict is Verdict.REGRESSED) is verdict
    if verdict:
        assert judgement.reasons[0].startswith("5xx ")
        assert "all at GET /reports/:id of web" in judgement.reasons[0]
        assert "first: 22:23:07.898 UTC GET /reports/:id 500 in 10 ms by 127.0.0.1:2001" in judgement.reasons[0]
