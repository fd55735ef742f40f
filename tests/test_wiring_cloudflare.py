"""The way back through Cloudflare without the daemon: what the card cannot hold comes from the configuration."""

from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.cloudflare import CloudflareBalancer
from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import Settings, load
from bluegreen.wiring_balancer import way_back
from tests.app.test_card_alone import CARD
from tests.settings.test_cloudflare import BASE, WHOLE

OURS = replace(
    CARD,
    endpoint="cloudflare:zones/023e105f4ecef8ad9ca31a8372d0c353/load_balancers/699d98642c564d2e855e9661899b7252",
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "bluegreen.toml"
    file.write_text(BASE + WHOLE)
    file.chmod(0o600)
    return load(file)


def test_the_card_of_this_load_balancer_leads_back_through_it(settings: Settings) -> None:
    assert isinstance(way_back(OURS, 0, (), settings), CloudflareBalancer)


def test_where_the_configuration_cannot_be_read_people_are_told_what_to_type() -> None:
    with pytest.raises(ConfigurationError, match="its token stands in the configuration") as caught:
        way_back(OURS, 0, ())
    assert caught.value.next[0].startswith("CREDENTIALS_DIRECTORY=")
    assert "set default_pools to the pool of blue alone" in caught.value.next[1]


def test_a_card_of_another_load_balancer_is_not_followed(settings: Settings) -> None:
    other = replace(OURS, endpoint="cloudflare:zones/another/load_balancers/one")
    with pytest.raises(ConfigurationError, match="names another load balancer"):
        way_back(other, 0, (), settings)


def test_a_card_of_cloudflare_where_caddy_is_configured_says_so(tmp_path: Path) -> None:
    file = tmp_path / "bluegreen.toml"
    file.write_text(BASE.replace('balancer = "cloudflare"', ""))
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="names another load balancer"):
        way_back(OURS, 0, (), load(file))
