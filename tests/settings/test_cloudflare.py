"""[cloudflare]: what it needs, what it cannot do, and what is judged where no access log is read."""

from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.rules import USERS
from bluegreen.settings import load, masked
from bluegreen.wiring_signals import terms
from tests.settings.conftest import SMALLEST, Write

WHOLE = """
[cloudflare]
zone = "023e105f4ecef8ad9ca31a8372d0c353"
account = "01a7362d577a6c3019a474fd6f485823"
load_balancer = "699d98642c564d2e855e9661899b7252"
blue_pool = "17b5962d775c646f3f9725cbc7a53df4"
green_pool = "9290f38c5d07c2e2f4df57b1f61d4196"
token = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQ"
front_door = "https://www.example.org"
"""
BASE = f'balancer = "cloudflare"\n{SMALLEST}'
OTHER_SITE = """
[[services]]
name = "identity"
site = "id.example.org"
blue = ["127.0.0.1:8002"]
green = ["127.0.0.1:9002"]
"""


def problems(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return caught.value.detail


def test_it_is_the_way_users_come_in(write: Write) -> None:
    settings = load(write(WHOLE, BASE))
    entrance = settings.entrance
    assert (entrance.name, entrance.front_door, entrance.access_log) == ("Cloudflare", "https://www.example.org", None)
    assert entrance.on_drift == "restore", "a late request of ours may move users, and nothing else brings them back"


def test_without_an_access_log_its_signals_are_none_and_the_weights_are_of_the_others(write: Write) -> None:
    promised = terms(load(write(WHOLE, BASE)))
    assert [rule.name for rule in promised.signals] == ["probe"]
    assert promised.signals[0].weight == 1.0
    assert USERS not in {rule.source for rule in promised.signals}


def test_its_fallback_is_what_a_plan_promises(write: Write) -> None:
    assert terms(load(write(f"{WHOLE}fallback_to_previous = true\n", BASE))).fallback is True


def test_the_token_is_never_shown(write: Write) -> None:
    assert "Sn3lZ" not in str(masked(load(write(WHOLE, BASE))))


def test_every_key_that_is_missing_is_named(write: Write) -> None:
    told = problems(write(base=BASE))
    for key in ("zone", "account", "load_balancer", "blue_pool", "green_pool", "token"):
        assert f'cloudflare.{key}: is needed with balancer = "cloudflare"' in told


def test_with_another_balancer_none_of_it_is_needed(write: Write) -> None:
    assert load(write()).entrance.name == "Caddy"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('zone = "023e', 'zone = "x23e', "is not an id of Cloudflare"),
        ("9290f38c5d07c2e2f4df57b1f61d4196", "17b5962d775c646f3f9725cbc7a53df4", "each colour needs a pool of its own"),
        ("https://www.example.org", "https://127.0.0.1", "is this machine, and users come in at Cloudflare"),
        ("token =", 'api = "http://api.example.org"\ntoken =', "is not where the API is"),
        ("front_door =", '[canary]\nsteps = ["0.5% 1m"]\n#', "0.5% cannot be set: write whole percentages"),
        ("front_door =", '[canary]\npreview = "a-long-secret"\n#', "use a hostname of its own for the idle colour"),
        ("front_door =", "[caddy]\nfallback_to_previous = true\n#", r"set it in \[cloudflare\] instead"),
        ("front_door =", "[watch.signals]\nprobe.critical = false\n#", "no access log is read, and no other signal"),
    ],
    ids=["id", "one pool", "door", "api", "fine share", "preview", "fallback", "nothing decides"],
)
def test_what_cannot_be_is_refused_in_words(write: Write, old: str, new: str, words: str) -> None:
    assert WHOLE.count(old) == 1
    with pytest.raises(ConfigurationError, match=words):
        load(write(WHOLE.replace(old, new), BASE))


def test_users_of_several_hostnames_cannot_be_shared_out(write: Write) -> None:
    base = BASE.replace('name = "web"', 'name = "web"\nsite = "www.example.org"') + OTHER_SITE
    told = problems(write(f'{WHOLE}[canary]\nsteps = ["5% 1m"]\ncookie_domain = "example.org"\n', base))
    assert "a cookie of each hostname, and there are id.example.org, www.example.org" in told
