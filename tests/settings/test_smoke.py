"""[[smoke]] flow and [[continuity]]: what they mean, what is refused with what to write, what is hidden."""

from typing import Any

import pytest

from bluegreen.adapters.checks.continuity import FlowContinuity
from bluegreen.adapters.checks.flow import FlowCheck
from bluegreen.domain.answers import Place
from bluegreen.domain.checks import Given
from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import load, masked
from bluegreen.wiring_checks import continuity, scheme_of_users, smoke
from tests.settings.conftest import Write

FLOW = """
[[smoke]]
name = "login"
service = "web"
timeout = "3s"
retries = 1
retry_delay = "2s"

[smoke.flow]
timeout = "20s"
values = { user = "probe@example.org", password = "correct-horse" }

[[smoke.flow.steps]]
path = "/login"
expect = { body = "v{release}", version = "body:v([0-9.]+)" }
capture = { action = "form-action:csrf_token", csrf = "form:csrf_token", seen = "cookie:seen" }

[[smoke.flow.steps]]
method = "POST"
path = "{action}"
form = { user = "{user}", password = "{password}", csrf = "{csrf}" }
expect = { status = 303 }
capture = { next = "redirect" }
"""
CONTINUITY = """
[[continuity]]
name = "sessions"
service = "web"
kind = "token"
lasts = "15m"
step_timeout = "2s"
values = { user = "probe@example.org", password = "correct-horse" }
use = [{ path = "/me", headers = { x-token = "{token}" }, expect = { version = "header:X-Version" } }]

[[continuity.mint]]
path = "/login"
method = "POST"
json = { user = "{user}", password = "{password}" }
capture = { token = "json:/t" }
"""


def test_a_flow_is_wired_as_it_is_written(write: Write) -> None:
    (check,) = smoke(load(write(FLOW)))
    assert isinstance(check, FlowCheck)
    flow = check._flow
    assert (check.name, flow.timeout, flow.step_timeout) == ("login", 20.0, 3.0)
    assert (check._retries, check._retry_delay) == (1, 2.0)
    assert "correct-horse" in flow.hidden
    first, second = flow.steps
    assert (first.service, first.expect.body, first.expect.version) == (
        "web",
        "v{release}",
        Place("body", "v([0-9.]+)"),
    )
    assert first.capture == {
        "action": Place("form-action", "csrf_token"),
        "csrf": Place("form", "csrf_token"),
        "seen": Place("cookie", "seen"),
    }
    assert (second.title, second.capture) == ("POST {action}", {"next": Place("redirect", "")})


def test_continuity_is_wired_as_it_is_written(write: Write) -> None:
    (check,) = continuity(load(write(CONTINUITY)))
    assert isinstance(check, FlowContinuity)
    assert (check.name, check.gives, check._good_for, check._after) == ("sessions", Given.TOKEN, 900.0, None)
    assert (check._mint.step_timeout, check._use.timeout) == (2.0, 30.0)
    assert check._use.values["user"] == "probe@example.org"
    assert check._use.steps[0].expect.version == Place("header", "X-Version")


@pytest.mark.parametrize(("front", "scheme"), [("", "https"), ('front_door = "http://127.0.0.1:8080"', "http")])
def test_a_colour_hears_what_users_come_by(write: Write, front: str, scheme: str) -> None:
    assert scheme_of_users(load(write(f"[caddy]\n{front}\n"))) == scheme


def test_values_are_never_shown(write: Write) -> None:
    assert "correct-horse" not in repr(masked(load(write(FLOW + CONTINUITY)))) + repr(load(write(FLOW + CONTINUITY)))


NO_PLACE = (
    '"relocation" is no place in an answer: write "json:/POINTER", "header:NAME", "cookie:NAME", "form:FIELD", '
    '"form-action", "redirect" or "body:REGEX"'
)
NO_RELEASE = (
    "step 1: {release} in `expect` is not known there: it is in [[smoke]] and [[continuity]], where one colour is asked"
)


def without(text: str, *lines: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(lines))


@pytest.mark.parametrize(
    ("added", "key", "expected"),
    [
        (
            FLOW.replace("{csrf}", "{scrf}"),
            "smoke.flow",
            "step 2: {scrf} in `form` is not known there; did you mean {csrf}?",
        ),
        (
            FLOW.replace('path = "/login"', 'path = "/x/{nowhere}"'),
            "smoke.flow",
            "step 1: {nowhere} in `path` is not known there: capture it in a step before, or give it in `values`",
        ),
        (
            FLOW.replace('"v{release}"', '"v{relaese}"'),
            "smoke.flow",
            "step 1: {relaese} in `expect` is not known there; did you mean {release}?",
        ),
        (
            FLOW.replace("values = { user", "values = { colour"),
            "smoke.flow",
            "{colour} is known by itself here: give the value another name",
        ),
        (
            without(FLOW, "service"),
            "smoke",
            "`flow` needs `service`: the name of the service that is asked by steps that name none",
        ),
        (
            FLOW.replace('service = "web"', 'service = "web"\nexpect = { status = 204 }'),
            "smoke",
            "`expect` is for `http`; in a flow each step has its own",
        ),
        (
            FLOW.replace('"redirect"', '"relocation"'),
            "smoke.flow.steps.capture.next",
            NO_PLACE,
        ),
        (
            FLOW.replace('method = "POST"', 'method = "POST"\nservice = "wbe"'),
            "smoke.flow.steps.service",
            'there is no "wbe" in [[services]]; did you mean "web"?',
        ),
        (
            CONTINUITY.replace("{token}", "{tokn}"),
            "continuity",
            "use: step 1: {tokn} in `headers` is not known there; did you mean {token}?",
        ),
        (
            without(CONTINUITY, "service"),
            "continuity",
            "needs `service`: the name of the service that is asked by steps that name none",
        ),
        (CONTINUITY * 2, "continuity.name", '"sessions" is the name of more than one of the [[continuity]]'),
        (
            CONTINUITY.replace('service = "web"', 'service = "nobody"'),
            "continuity.service",
            'there is no "nobody" in [[services]]; there is: web',
        ),
        (
            '[[watch.flows]]\nname = "f"\nservice = "web"\nsteps = [{ path = "/", expect = { body = "{release}" } }]',
            "watch.flows",
            NO_RELEASE,
        ),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_to_write(write: Write, added: str, key: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write(added))
    problems: Any = caught.value.facts["problems"]
    assert [(problem["key"], problem["text"]) for problem in problems] == [(key, expected)]


def test_a_live_only_service_cannot_be_asked(write: Write) -> None:
    mailer = '\n[[services]]\nname = "mailer"\nrole = "live-only"\n'
    with pytest.raises(ConfigurationError) as caught:
        load(write(FLOW.replace('service = "web"', 'service = "mailer"') + mailer))
    assert "is a live-only service: it has no addresses that could be asked" in str(caught.value.facts["problems"])
