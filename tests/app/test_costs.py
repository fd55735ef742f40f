"""The plan says what the switch costs users with this balancer, as it is set up now."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bluegreen.app.requests import PlanRequest
from bluegreen.app.world import World
from bluegreen.domain.errors import BalancerUnreachable
from bluegreen.domain.plans import Plan
from bluegreen.interfaces.render import plan_lines
from tests.app.daemons import ANN, running
from tests.app.outside import Balancer, Outside

LOADED = "rewrite: connections that are kept alive are closed"


class Costly(Balancer):
    """The balancer in memory, which says what a switch costs."""

    told: tuple[str, ...] = ()
    silent = False

    async def costs(self) -> tuple[str, ...]:
        if self.silent:
            raise BalancerUnreachable
        return self.told


@pytest.fixture
def costly(outside: Outside) -> Costly:
    outside.balancer = balancer = Costly(outside)
    return balancer


async def planned(outside: Outside) -> Plan:
    async with running(outside) as daemon:
        return await daemon.service.plan(PlanRequest("1.1.0"), ANN)


def shown(plan: Plan) -> str:
    return "\n".join(plan_lines(plan, plan.expires_at - timedelta(minutes=30)))


async def test_each_cost_is_a_line_of_the_plan(outside: Outside, costly: Costly) -> None:
    costly.told = (LOADED, "WebSockets are closed")
    plan = await planned(outside)
    assert plan.costs == (LOADED, "WebSockets are closed")
    assert "switch costs" in shown(plan)
    assert LOADED in shown(plan)


async def test_where_nothing_is_lost_the_plan_says_so(outside: Outside, costly: Costly) -> None:
    assert (await planned(outside)).costs == ("nothing: no request is lost, and no connection is closed",)


async def test_where_it_cannot_be_told_the_plan_says_that_and_stands(outside: Outside, costly: Costly) -> None:
    costly.silent = True
    (line,) = (await planned(outside)).costs
    assert line.startswith("cannot be told: ")


async def test_a_balancer_that_has_nothing_to_say_adds_nothing(outside: Outside) -> None:
    plan = await planned(outside)
    assert plan.costs == ()
    assert "switch costs" not in shown(plan)


async def test_what_it_costs_changes_with_the_traffic_and_makes_no_plan_stale(outside: Outside, costly: Costly) -> None:
    costly.told = ("about 3 requests may fail",)
    first = await planned(outside)
    costly.told = ("about 9 requests may fail",)
    assert (await planned(outside)).digest == first.digest


class AtCloudflare(Outside):
    def world(self) -> World:
        return replace(super().world(), balancer_name="Cloudflare", witnessed=False)


async def test_a_plan_names_the_balancer_and_who_bears_witness() -> None:
    plan = await planned(AtCloudflare())
    assert plan.steps[0].text == (
        "check Cloudflare, routes, addresses, databases, disk; blue healthy and known by its version"
    )
