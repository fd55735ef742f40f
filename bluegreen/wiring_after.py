"""From settings to what is done once users have arrived. A part of wiring.py, and under its rules."""

from bluegreen.adapters.checks.command import CommandCheck
from bluegreen.adapters.checks.http import HttpCheck, HttpSpec
from bluegreen.domain.answers import Expectations
from bluegreen.ports import Checker
from bluegreen.settings import Settings, revealed
from bluegreen.settings.sections_after import AfterSwitch, Call
from bluegreen.wiring_checks import revealed_values


def after_switch(settings: Settings) -> tuple[Checker, ...]:
    """What is done, in its order."""
    hidden = revealed(settings)
    return tuple(
        _call(each, each.http, hidden) if each.http is not None else _command(each, settings)
        for each in settings.after_switch
    )


def _command(each: AfterSwitch, settings: Settings) -> Checker:
    return CommandCheck(
        each.name,
        each.command or (),
        timeout=each.timeout,
        retries=each.retries,
        retry_delay=each.retry_delay,
        cwd=settings.file.parent if settings.file else None,
    )


def _call(each: AfterSwitch, call: Call, hidden: frozenset[str]) -> Checker:
    return HttpCheck(
        HttpSpec(
            name=each.name,
            service=each.service,
            method=call.method,
            path=call.path,
            headers=revealed_values(call.headers),
            body=call.body.encode(),
            expect=Expectations(status=call.status),
            timeout=each.timeout,
            retries=each.retries,
            retry_delay=each.retry_delay,
            hidden=hidden,
        )
    )
