"""A release that only the operators' own monitoring knows to be worse: a real Prometheus, a real Alertmanager."""

from pathlib import Path

from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace
from tests.e2e.cast import colours_served, deploy, ended, reached
from tests.e2e.conftest import MakeStage
from tests.monitoring import Gauges, alertmanager, fire, prometheus

LONG = Pace(window="60s")
TOKEN = "an-alertmanager-token"

HOOKS = """
[hooks]
listen = "{listen}"

[hooks.alerts]
kind = "alertmanager"
token = "{token}"
match = {{ severity = "critical" }}
"""

QUEUE = """
[[watch.prometheus]]
name = "queue"
url = "{url}"
query = 'sum(app_queue{{env="{{colour}}"}})'
interval = "200ms"
timeout = "2s"
high = 50.0
weight = 1.0
"""


async def test_an_alert_of_a_real_alertmanager_cuts_back(make_stage: MakeStage, short_directory: Path) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    stage = make_stage(pace=LONG, extra=HOOKS.format(listen=listen, token=TOKEN))
    async with alertmanager(short_directory, f"http://{listen}/v1/hooks/alerts", TOKEN) as monitor:
        await stage.set_up()
        await stage.start_daemon()
        id = await deploy(stage, "1.1.0")
        await reached(stage, id, "WATCHING")
        await fire(monitor, severity="critical")
        back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "alert"), back.reason
    assert "LoginsFail" in back.reason
    assert await colours_served(stage) == {"blue"}


async def test_a_gauge_of_a_real_prometheus_cuts_back_and_names_itself(
    make_stage: MakeStage, short_directory: Path
) -> None:
    gauges = Gauges()
    with gauges.shown() as target:
        async with prometheus(short_directory, target.url.removeprefix("http://")) as monitor:
            stage = make_stage(pace=LONG, extra=QUEUE.format(url=monitor.url))
            await stage.set_up()
            await stage.start_daemon()
            id = await deploy(stage, "1.1.0")
            await reached(stage, id, "WATCHING")
            gauges.queue["blue"] = 500.0  # the colour that nobody is sent to any more
            gauges.queue["green"] = 500.0
            back = await ended(stage, id)
    print(f"\n{back.reason}")
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    assert back.reason.startswith("queue")
    assert await colours_served(stage) == {"blue"}
