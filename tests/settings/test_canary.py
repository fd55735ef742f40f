"""[canary], and the keys of [caddy], [retire] and [environments] that the ways of switching need."""

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import CanaryStep
from bluegreen.settings import load, masked
from bluegreen.settings.credentials import revealed
from tests.settings.conftest import SMALLEST, Write

SECOND = '[[services]]\nname = "id"\nsite = "id.example.org"\nblue = ["h:1"]\ngreen = ["h:2"]\n'
THIRD = '[[services]]\nname = "www"\nsite = "www.example.org"\nblue = ["h:3"]\ngreen = ["h:4"]\n'
STEPS = '[canary]\nsteps = ["5% 2m", "25.5% 5m30s"]\n'


def why(write: Write, more: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(write(more))
    return refused.value.detail


def test_steps_are_shares_with_the_longest_time_that_each_serves(write: Write) -> None:
    settings = load(write(STEPS))
    assert settings.canary.steps == (CanaryStep(0.05, 120.0), CanaryStep(0.255, 330.0))
    assert masked(settings)["canary"]["steps"] == ["5% 2m", "25.5% 5m30s"]
    assert settings.phase_deadlines[Phase.CANARYING] == 900.0


def test_without_steps_there_is_no_canary(write: Write) -> None:
    assert load(write()).canary.steps == ()


@pytest.mark.parametrize("step", ["5%", "2m", "5 2m", "0% 2m", "100% 2m", "5% 0s", "5% soon", "0.123% 1m", ""])
def test_what_is_no_step_is_refused_with_what_to_write(write: Write, step: str) -> None:
    assert "step" in why(write, f'[canary]\nsteps = ["{step}"]') or "decimals" in why(
        write, f'[canary]\nsteps = ["{step}"]'
    )


def test_steps_that_do_not_grow_are_refused(write: Write) -> None:
    assert "must grow: 25% 5m, 5% 2m" in why(write, '[canary]\nsteps = ["25% 5m", "5% 2m"]')


def test_one_user_meets_one_colour_in_every_site(write: Write) -> None:
    said = why(write, STEPS + SECOND + THIRD)
    assert "canary.cookie_domain: is needed for `steps`" in said
    assert "id.example.org, www.example.org" in said
    named = STEPS + 'cookie_domain = "example.org"\n' + SECOND + THIRD
    assert load(write(named)).canary.cookie_domain == "example.org"


def test_a_cookie_domain_holds_every_site(write: Write) -> None:
    said = why(write, '[canary]\ncookie_domain = "www.example.org"\n' + SECOND + THIRD)
    assert '"www.example.org" does not hold id.example.org' in said


@pytest.mark.parametrize("domain", ["org", "exa mple.org", "", "example.org;x"])
def test_what_no_browser_takes_as_a_domain_is_refused(write: Write, domain: str) -> None:
    assert "is not a domain" in why(write, f'[canary]\ncookie_domain = "{domain}"')


@pytest.mark.parametrize(("secret", "said"), [("pssst", "shorter than 8"), ("eight;letters", "letters, digits and")])
def test_a_preview_that_can_be_guessed_or_is_no_cookie_is_refused(write: Write, secret: str, said: str) -> None:
    told = why(write, f'[canary]\npreview = "{secret}"')
    assert said in told
    assert secret not in told


def test_the_preview_secret_is_never_shown(write: Write) -> None:
    settings = load(write('[canary]\npreview = "not-to-be-guessed"'))
    assert "not-to-be-guessed" not in str(masked(settings))
    assert "not-to-be-guessed" in revealed(settings)


def test_a_pointer_is_of_this_machine(write: Write) -> None:
    said = why(write, '[caddy]\nmode = "pointer"\nadmin = "http://10.0.0.9:2019"\nallow_remote_admin = true')
    assert 'mode = "pointer" replaces a file that Caddy reads' in said


def test_a_fallback_is_for_one_address_per_colour(write: Write) -> None:
    two = '[[services]]\nname = "api"\nblue = ["h:1", "h:2"]\ngreen = ["h:3", "h:4"]\n'
    said = why(write, two + "[caddy]\nfallback_to_previous = true")
    assert "api has several addresses per colour" in said


def test_retiring_leaves_time_for_the_slices(write: Write) -> None:
    slices = "[environments.green]\nup = ['true']\ndown = ['true']\nslices = [['a', '{colour}'], ['b']]\n"
    base = SMALLEST.replace('[environments.green]\nup = ["true"]\ndown = ["true"]\n', slices)
    with pytest.raises(ConfigurationError) as refused:
        load(write('[retire]\ndrain = "10m"\nslice_pause = "10m"', base))
    assert "drain and 2 times slice_pause (30m)" in refused.value.detail
    assert load(write("", base)).environments.green.slices == (("a", "{colour}"), ("b",))
