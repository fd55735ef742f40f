"""Colours that are compose projects: their names, where files are written for them, and how they are followed."""

from pathlib import Path

import pytest

from bluegreen.adapters.runners.compose import ComposeRunner
from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.traffic import Colour
from bluegreen.settings import load
from bluegreen.settings.rules_compose import live_only_services, project_of, written_for
from bluegreen.wiring_runners import follow, runner
from tests.settings.conftest import Write

BASE = """\
project = "Olympus.EU"

[environments.blue]
runner = "compose"
BLUE
[environments.green]
runner = "compose"
GREEN
[[services]]
name = "web"
blue = ["127.0.0.1:8001"]
green = ["127.0.0.1:9001"]
"""

WORKER = '[[services]]\nname = "jobs"\nrole = "live-only"\nparts = ["worker", "scheduler"]\n'


def base(blue: str = "", green: str = "") -> str:
    return BASE.replace("BLUE", blue).replace("GREEN", green)


def problems(write: Write, more: str, base: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        load(write(more, base))
    found: list[dict[str, str]] = caught.value.facts["problems"]  # type: ignore[assignment]
    return [(problem["key"], problem["text"]) for problem in found]


def test_each_colour_has_a_project_of_its_own_that_compose_takes(write: Write) -> None:
    settings = load(write(WORKER, base(green='compose.project = "other"')))
    names = [project_of(settings.environments.of(colour), settings.project, colour) for colour in Colour]
    assert names == ["olympus-eu-blue", "other"]
    assert live_only_services(settings.services) == ("worker", "scheduler")
    assert written_for(settings.environments.blue, settings.daemon) == settings.daemon.state_dir / "compose"
    assert isinstance(made := runner(settings, Colour.BLUE, None), ComposeRunner)
    assert made.live_only == ("worker", "scheduler")


def test_one_project_for_both_colours_is_refused_on_one_machine_alone(write: Write) -> None:
    same = 'compose.project = "olympus"'
    ((key, text),) = problems(write, "", base(same, same))
    assert key == "environments.green.compose.project"
    assert '"olympus" is that of blue too' in text
    apart = load(write("", base(f'on = "ssh://u@a"\n{same}', f'on = "ssh://u@b"\n{same}')))
    assert written_for(apart.environments.blue, apart.daemon) is None
    chosen = load(write("", base('on = "ssh://u@a"\ncompose.written = "/srv/x"')))
    assert written_for(chosen.environments.blue, chosen.daemon) == Path("/srv/x")


def test_a_name_that_compose_would_not_take_is_refused(write: Write) -> None:
    ((key, text),) = problems(write, "", base('compose.project = "Olympus"'))
    assert (key, text.split(",")[0]) == (
        "environments.blue.compose.project",
        "must be 1 to 63 of a-z 0-9 _ - (no _ or - first)",
    )
    ((key, text),) = problems(write, WORKER.replace("worker", "worker; x"), base())
    assert "cannot be a service of a compose project" in text


def test_a_projects_log_is_followed_by_its_engine_without_a_word(write: Write) -> None:
    settings = load(write("", base('compose.tool = ["sudo", "podman-compose"]', 'follow = ["tail", "-F", "x"]')))
    blue, green = follow(settings, Colour.BLUE), follow(settings, Colour.GREEN)
    assert blue is not None
    assert tuple(blue.argv[-3:]) == ("olympus-eu-blue", "sudo", "podman")
    assert green is not None
    assert tuple(green.argv) == ("tail", "-F", "x")
