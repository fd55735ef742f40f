"""From settings to the checks of a colour: readiness and smoke. A part of wiring.py, and under its rules."""

from collections.abc import Mapping

from bluegreen.adapters.checks.command import CommandCheck
from bluegreen.adapters.checks.http import HttpCheck, HttpSpec
from bluegreen.adapters.checks.readiness import HttpReadiness
from bluegreen.domain.answers import Expectations, Place
from bluegreen.ports import Checker, Readiness
from bluegreen.settings import Secret, Settings
from bluegreen.settings.sections_smoke import Smoke as SmokeSettings


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
    return tuple(_smoke(check, settings) for check in settings.smoke)


def _smoke(check: SmokeSettings, settings: Settings) -> Checker:
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
            expect=_expectations(check),
            timeout=check.timeout,
            retries=check.retries,
            retry_delay=check.retry_delay,
        )
    )


def _expectations(check: SmokeSettings) -> Expectations:
    expect = check.expect
    return Expectations(
        status=expect.status,
        header=expect.header,
        body=expect.body or None,
        json=expect.json_,
        version=Place.written(expect.version) if expect.version else None,
    )


def revealed_values(variables: Mapping[str, Secret]) -> dict[str, str]:
    """Variables or headers as they are sent."""
    return {name: secret.get_secret_value() for name, secret in variables.items()}
