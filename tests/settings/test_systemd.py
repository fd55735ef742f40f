"""Colours that are units: their names, and that one colour's are never the other's."""

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.traffic import Colour
from bluegreen.settings import load
from bluegreen.settings.rules_systemd import live_only_units, units
from bluegreen.wiring_runners import follow, runner
from tests.settings.conftest import Write

BASE = """\
project = "olympus"

[environments.blue]
runner = "systemd"
systemd = { units = ["UNIT"], environment_file = "/x/blue.env"BLUE }
ON
[environments.green]
runner = "systemd"
systemd = { units = ["UNIT"], environment_file = "/x/green.env" }

[[services]]
name = "web"
blue = ["127.0.0.1:8001"]
green = ["127.0.0.1:9001"]
"""

WORKER = '[[services]]\nname = "worker"\nrole = "live-only"\n'


def base(unit: str = "app@{colour}.service", blue: str = "", on: str = "") -> str:
    return BASE.replace("UNIT", unit).replace("BLUE", blue).replace("ON\n", on)


def problems(write: Write, more: str, base: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        load(write(more, base))
    found: list[dict[str, str]] = caught.value.facts["problems"]  # type: ignore[assignment]
    return [(problem["key"], problem["text"]) for problem in found]


def test_units_are_those_of_the_colour_and_live_only_ones_name_themselves(write: Write) -> None:
    more = WORKER + WORKER.replace("worker", "jobs") + 'parts = ["cron@{colour}.timer", "queue-{colour}.service"]\n'
    settings = load(write(more, base()))
    assert units(settings.environments.green, Colour.GREEN) == ("app@green.service",)
    found = ("worker@green.service", "cron@green.timer", "queue-green.service")
    assert live_only_units(settings.services, Colour.GREEN) == found
    assert runner(settings, Colour.GREEN, None).live_only == found


def test_the_journal_is_followed_where_something_is_looked_for_in_it(write: Write) -> None:
    assert follow(load(write("", base())), Colour.BLUE) is None
    more = '[[watch.log_lines]]\nname = "errors"\npattern = "ERROR"\n'
    found = follow(load(write(more, base())), Colour.BLUE)
    assert found is not None
    assert found.argv[0] == "journalctl"
    assert {"--follow", "--lines=0", "--unit=app@blue.service"} <= {*found.argv}


@pytest.mark.parametrize(
    "unit",
    ["app@{colour}", "app@*.service", "app@{colour}.servic", "-H.service extra", "", "a b.service", "x/y.service"],
)
def test_a_unit_is_named_whole_and_alone(write: Write, unit: str) -> None:
    (*_, (key, text)) = problems(write, "", base(unit))
    assert key.startswith("environments.")
    assert 'write its whole name with its type, for example "app@{colour}.service"' in text


def test_a_unit_that_is_that_of_both_colours_is_refused(write: Write) -> None:
    ((key, text),) = problems(write, "", base("app.service"))
    assert key == "environments.green.systemd.units"
    assert text.startswith('"app.service" is a unit of blue too: who stops one colour would stop the other')


@pytest.mark.parametrize(("blue", "on"), [("", 'on = "ssh://deploy@blue-host"\n'), (", user = true", "")])
def test_on_another_host_or_of_another_systemd_it_is_another_unit(write: Write, blue: str, on: str) -> None:
    text = base("app.service", blue).replace(
        'systemd = { units = ["app.service"]', on + 'systemd = { units = ["app.service"]', 1
    )
    assert load(write("", text)).environments.green.systemd.units == ("app.service",)


def test_live_only_units_and_files_are_each_of_one_colour_too(write: Write) -> None:
    assert problems(write, WORKER + 'parts = ["cron.timer"]\n', base())[0][0] == "services.parts"
    assert problems(write, WORKER + 'parts = ["cron"]\n', base())[0][0] == "services.parts"
    ((key, text),) = problems(write, "", base().replace("/x/green.env", "/x/blue.env"))
    assert (key, text[:20]) == ("environments.green.systemd.environment_file", "is that of blue too:")
