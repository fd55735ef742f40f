"""`balancer = "traefik"`: which section counts then, and what is refused with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import load
from bluegreen.settings.sections_traefik import check_api

TRAEFIK = """balancer = "traefik"
project = "olympus"

[traefik]
file = "dynamic/bluegreen.yml"
api = "http://127.0.0.1:8080/api/"
access_log = "access.log"
front_door = "http://127.0.0.1:8081"
on_drift = "restore"
{lines}
[environments.blue]
up = ["true"]
down = ["true"]

[environments.green]
up = ["true"]
down = ["true"]

[[services]]
name = "web"
site = "app.example.org"
blue = ["127.0.0.1:8001"]
green = ["127.0.0.1:9001"]
"""
ANOTHER = """
[[services]]
name = "shop"
site = "app.example.org"
blue = ["127.0.0.1:8002"]
green = ["127.0.0.1:9002"]
"""
STEPS = '[canary]\nsteps = ["5% 2m"]\n'


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(lines: str = "", more: str = "") -> Path:
        path = tmp_path / "bluegreen.toml"
        path.write_text(TRAEFIK.format(lines=lines) + more)
        return path

    return write


def test_its_section_says_how_users_come_in(written: Callable[..., Path], tmp_path: Path) -> None:
    settings = load(written())
    entrance = settings.entrance
    assert (entrance.section, entrance.name, entrance.front_door) == ("traefik", "Traefik", "http://127.0.0.1:8081")
    assert (entrance.access_log, entrance.on_drift) == (tmp_path / "access.log", "restore")
    assert settings.traefik.file == tmp_path / "dynamic" / "bluegreen.yml"
    assert settings.traefik.api == "http://127.0.0.1:8080"


def test_without_a_word_it_is_caddy_and_its_section_counts(written: Callable[..., Path]) -> None:
    path = written()
    path.write_text(path.read_text().replace('balancer = "traefik"', ""))
    assert load(path).entrance.front_door == "https://127.0.0.1"


@pytest.mark.parametrize(
    ("lines", "more", "said"),
    [
        (STEPS, ANOTHER, "a user would meet both colours at once"),
        ("[caddy]\nfallback_to_previous = true\n", "", "is for Caddy"),
        ('[canary]\npreview = "not-to-be-guessed"\n', "", "a router of your own"),
    ],
    ids=["a canary over two services", "fallback", "preview"],
)
def test_what_it_cannot_do_is_refused(written: Callable[..., Path], lines: str, more: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(written(lines, more))


def test_a_canary_of_one_service_is_allowed(written: Callable[..., Path]) -> None:
    assert load(written(STEPS)).canary.shares == (0.05,)


@pytest.mark.parametrize("value", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://a?b=c"])
def test_what_is_no_api_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(ValueError, match=r'write "http://127\.0\.0\.1:8080"'):
        check_api(value)
