"""One tree of errors: the class says what kind, `facts` say which, the text says why and what to type next.

The docstring of a class is its default message. `code` is stable: it is what problem+json and the exit code refer
to.
"""

from typing import ClassVar


class BluegreenError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str | None = None, *, next: tuple[str, ...] = (), **facts: object) -> None:
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.next = next
        self.facts = facts
        super().__init__(self.detail)


class ConfigurationError(BluegreenError):
    """The configuration cannot be used."""

    code = "configuration"


# --- what an operator asked for and cannot have


class RequestRefused(BluegreenError):
    """This cannot be done now."""

    code = "not-possible"


class NotFound(RequestRefused):
    """There is no such thing."""

    code = "not-found"


class WrongPhase(RequestRefused):
    """The deployment is not in a phase where this can be done."""

    code = "wrong-phase"


class DeploymentInProgress(RequestRefused):
    """Another deployment is running."""

    code = "deployment-in-progress"


class PlanStale(RequestRefused):
    """The plan was made for another state of the world."""

    code = "plan-stale"


class GateRefused(RequestRefused):
    """A gate refuses this release."""

    code = "gate-refused"


OBSERVED = 'automation is "observe": this is what would be done, and nothing is done'
"""The warning of a plan that nobody may carry out as things are."""

TO_ACT = ('set automation = "act", then: bluegreen reload',)
"""What to type so that things are done."""


class ObserveOnly(RequestRefused):
    """The daemon only observes: nothing is done."""

    code = "observe-only"


class NotPermitted(RequestRefused):
    """You may not do this."""

    code = "not-permitted"


class ReleaseInvalid(RequestRefused):
    """The release cannot be read."""

    code = "release-invalid"


# --- what the outside world answered


class OutsideError(BluegreenError):
    """A part outside the daemon failed."""

    code = "outside"


class StepFailed(OutsideError):
    """A step could not make true what it promises."""

    code = "step-failed"


class BalancerError(OutsideError):
    """The balancer failed."""

    code = "balancer"


class BalancerUnreachable(BalancerError):
    """The balancer's admin endpoint does not answer; nothing was sent that could take effect."""

    code = "caddy-unreachable"


class RouteNotFound(BalancerError):
    """No route of the balancer serves this service."""

    code = "route-not-found"


class RouteAmbiguous(BalancerError):
    """More than one route of the balancer could serve this service."""

    code = "route-ambiguous"


class AddressInvalid(BalancerError):
    """An address of a service cannot be dialled as configured."""

    code = "address-invalid"


class ChangeRefused(BalancerError):
    """The balancer answered and refused the change: nothing of it took effect."""

    code = "change-refused"


class ForeignChange(BalancerError):
    """Somebody else changed the balancer's configuration between our read and our write."""

    code = "foreign-change"


class MovedOutside(BalancerError):
    """Traffic is not where the journal says it is: somebody else moved it."""

    code = "moved-outside"


class ChangeUnknown(BalancerError):
    """The write got no answer in time: it may still take effect later, whatever is read back now."""

    code = "change-unknown"


class ConnectionLost(ChangeUnknown):
    """The connection was lost before the reply: the write took effect or it did not; a read tells."""

    code = "connection-lost"


class RunnerFailed(OutsideError):
    """A command of an environment failed."""

    code = "runner-failed"


class SignalFailed(OutsideError):
    """A source of signals cannot be heard."""

    code = "signal-failed"


class LiveColourProtected(OutsideError):
    """The live colour is never started, stopped or scaled."""

    code = "live-colour-protected"


class DatabaseUnreachable(OutsideError):
    """The database does not answer."""

    code = "database-unreachable"


class MigrationFailed(OutsideError):
    """A migration failed."""

    code = "migration-failed"


class RehearsalFailed(OutsideError):
    """The migrations could not be rehearsed."""

    code = "rehearsal-failed"


class LockBusy(OutsideError):
    """A lock could not be had within its budget."""

    code = "lock-busy"


class BackupFailed(OutsideError):
    """The backup could not be taken or verified."""

    code = "backup-failed"


class VariablesUnreadable(OutsideError):
    """The variables of a colour cannot be read."""

    code = "variables-unreadable"


class NotifierFailed(OutsideError):
    """A notification could not be delivered."""

    code = "notifier-failed"


class HookFailed(OutsideError):
    """The listener for alerts did not take a test."""

    code = "hook-failed"


class JournalFailed(OutsideError):
    """The journal failed; what it keeps is safe, and traffic does not depend on it."""

    code = "state-failed"


class JournalUnwritable(JournalFailed):
    """The state directory cannot be written."""

    code = "state-unwritable"


class JournalUnreadable(JournalFailed):
    """The state file cannot be read by this program."""

    code = "state-unreadable"


class AlreadyRunning(BluegreenError):
    """Another daemon holds the lock of this state directory."""

    code = "already-running"
