"""From settings to the checks of a colour: readiness, smoke, continuity. A part of wiring.py, and under its rules."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from bluegreen.adapters.checks.command import CommandCheck
from bluegreen.adapters.checks.continuity import FlowContinuity, Tries
from bluegreen.adapters.checks.flow import FlowCheck
from bluegreen.adapters.checks.http import HttpCheck, HttpSpec
from bluegreen.adapters.checks.readiness import HttpReadiness
from bluegreen.domain.answers import Expectations, Place
from bluegreen.domain.checks import Given
from bluegreen.domain.flows import Flow, Step
from bluegreen.ports import Checker, Readiness
from bluegreen.ports_stack import Continuity
from bluegreen.settings import Secret, Settings, revealed
from bluegreen.settings.sections_answers import Answer, Expectation
from bluegreen.settings.sections_continuity import Continuity as ContinuitySettings
from bluegreen.settings.sections_smoke import Smoke as SmokeSettings
from bluegreen.settings.sections_smoke import SmokeFlow
from bluegreen.settings.sections_steps import Step as StepSettings


def readiness(settings: Settings) -> tuple[Readiness, ...]:
    """How each service of a colour says that it is ready."""
    return tuple(
        HttpReadiness(
            service.name,
            path=service.ready.path,
            statuses=service.ready.status,
            consecutive=service.ready.consecutive,
            interval=service.ready.interval,
            timeout=service.ready.timeout,
        )
        for service in settings.routed
    )


def smoke(settings: Settings) -> tuple[Checker, ...]:
    """The smoke checks, in their order."""
    hidden = revealed(settings)
    return tuple(_smoke(check, settings, hidden) for check in settings.smoke)


def continuity(settings: Settings) -> tuple[Continuity, ...]:
    """What one colour gives its users and the other must accept."""
    hidden = revealed(settings)
    return tuple(_continuity(check, scheme_of_users(settings), hidden) for check in settings.continuity)


def flow_steps(steps: Sequence[StepSettings], service: str | None) -> tuple[Step, ...]:
    """The steps of a flow; those that name no service ask this one."""
    return tuple(
        Step(
            service=step.service or service or "",
            path=step.path,
            method=step.method,
            headers=revealed_values(step.headers),
            form=revealed_values(step.form),
            json=step.json_ or None,
            body=step.body,
            expect=expectations(step.expect),
            capture={name: Place.written(place) for name, place in step.capture.items()},
        )
        for step in steps
    )


def scheme_of_users(settings: Settings) -> str:
    """What users come by; a colour hears of it in X-Forwarded-Proto."""
    return urlsplit(settings.entrance.front_door).scheme


def _smoke(check: SmokeSettings, settings: Settings, hidden: frozenset[str]) -> Checker:
    if check.flow is not None:
        return FlowCheck(
            _flow(check, check.flow, hidden),
            scheme=scheme_of_users(settings),
            retries=check.retries,
            retry_delay=check.retry_delay,
        )
    if check.http is None:
        return CommandCheck(
            check.name,
            check.command or (),
            timeout=check.timeout,
            retries=check.retries,
            retry_delay=check.retry_delay,
            cwd=settings.file.parent if settings.file else None,
        )
    return HttpCheck(
        HttpSpec(
            name=check.name,
            service=check.service,
            method=check.http.method,
            path=check.http.path,
            headers=revealed_values(check.http.headers),
            body=check.http.body.encode(),
            expect=expectations(check.expect),
            timeout=check.timeout,
            retries=check.retries,
            retry_delay=check.retry_delay,
            hidden=hidden,
        )
    )


def _flow(check: SmokeSettings, flow: SmokeFlow, hidden: frozenset[str]) -> Flow:
    return Flow(
        name=check.name,
        steps=flow_steps(flow.steps, check.service),
        timeout=flow.timeout,
        values=revealed_values(flow.values),
        step_timeout=check.timeout,
        hidden=hidden,
    )


def _continuity(check: ContinuitySettings, scheme: str, hidden: frozenset[str]) -> Continuity:
    flows = {
        key: Flow(
            name=f"{check.name}, {key}",
            steps=flow_steps(steps, check.service),
            timeout=check.timeout,
            values=revealed_values(check.values),
            step_timeout=check.step_timeout,
            hidden=hidden,
        )
        for key, steps in check.parts.items()
    }
    return FlowContinuity(
        check.name,
        flows["mint"],
        flows["use"],
        flows["after"] if check.after else None,
        gives=Given(check.kind),
        good_for=check.lasts,
        scheme=scheme,
        tries=Tries(check.retries, check.retry_delay),
    )


def expectations(expect: Answer) -> Expectations:
    """What an answer must be."""
    version = expect.version if isinstance(expect, Expectation) else None
    return Expectations(
        status=expect.status,
        header=expect.header,
        body=expect.body or None,
        json=expect.json_,
        version=Place.written(version) if version else None,
    )


def revealed_values(variables: Mapping[str, Secret]) -> dict[str, str]:
    """Variables or headers as they are sent."""
    return {name: secret.get_secret_value() for name, secret in variables.items()}
