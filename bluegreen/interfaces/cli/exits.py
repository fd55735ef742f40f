"""Exit codes: what a script is told. The numbers are a contract."""

from enum import IntEnum
from http import HTTPStatus

from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import AlreadyRunning, BluegreenError, ConfigurationError, JournalUnreadable
from bluegreen.domain.phases import Phase


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_RUNNING = 3
    NOT_PERMITTED = 4
    NOT_POSSIBLE = 5
    GATE = 6
    CHANGES = 10
    FAILED = 20
    CUT_BACK = 21
    TAKEN_BACK = 22
    STRANDED = 23
    LOCKED = 75
    CONFIGURATION = 78
    TIMEOUT = 124
    DETACHED = 130


BY_CODE = {
    "not-running": Exit.NOT_RUNNING,
    "no-answer": Exit.NOT_RUNNING,
    "denied": Exit.NOT_PERMITTED,
    "gate-refused": Exit.GATE,
    "configuration": Exit.CONFIGURATION,
    "validation": Exit.USAGE,
    "timeout": Exit.TIMEOUT,
}

BY_STATUS = {
    HTTPStatus.FORBIDDEN: Exit.NOT_PERMITTED,
    HTTPStatus.CONFLICT: Exit.NOT_POSSIBLE,
    HTTPStatus.PRECONDITION_FAILED: Exit.NOT_POSSIBLE,
}


def of_problem(code: str, status: int) -> Exit:
    """For what the daemon refused, or what kept us from asking it."""
    if code in BY_CODE:
        return BY_CODE[code]
    return BY_STATUS.get(HTTPStatus(status), Exit.ERROR) if status else Exit.ERROR


def of_error(exc: BluegreenError) -> Exit:
    """For an error of this very process."""
    if isinstance(exc, ConfigurationError | JournalUnreadable):  # a state file of a newer program: no restart helps
        return Exit.CONFIGURATION
    return Exit.LOCKED if isinstance(exc, AlreadyRunning) else Exit.ERROR


def of_deployment(deployment: Deployment) -> Exit:
    """For `deploy`, `watch`, `rollback` and `retry`: how the deployment stands when they return."""
    if deployment.phase is Phase.STRANDED:
        return Exit.STRANDED
    if deployment.phase not in (Phase.ABANDONED, Phase.REVERTED):
        return Exit.DONE
    if deployment.cause is Cause.GATE:
        return Exit.GATE
    if deployment.cause is Cause.OPERATOR:
        return Exit.TAKEN_BACK
    return Exit.CUT_BACK if deployment.phase is Phase.REVERTED and deployment.moved else Exit.FAILED
