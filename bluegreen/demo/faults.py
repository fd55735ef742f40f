"""What is broken in a release of the sample application, on purpose.

Three ways to ask for it, the first that is given counts: the option `--fault`, the environment variable
BLUEGREEN_DEMO_FAULT, the version itself. A version says it with a suffix (`2.0.0-errors-0.05`, `2.0.0-hang`),
so that a deployment needs nothing but a release's name; and 1.2.0 is the release of the demonstration that
nobody tested enough.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from zlib import crc32

BROKEN_RELEASES = {"1.2.0": "login:0.3"}
SUFFIX = re.compile(r"[0-9.]+-(?P<name>[a-z]+(?:-[a-z]+)*)(?:-(?P<value>[0-9.]+(?:ms)?))?")


@dataclass(frozen=True, slots=True)
class Faults:
    """What a process does wrong. Readiness and /version are right unless a fault is about them."""

    errors: float = 0.0
    """Share of the requests of users that get a 500."""
    login: float = 0.0
    """Share of the users whose login and session are refused with a 401, always the same users."""
    slow_factor: float = 1.0
    """How many times longer an answer takes."""
    slow_seconds: float = 0.0
    """How much longer an answer takes."""
    hang: bool = False
    """Requests of users are taken and never answered."""
    never_ready: bool = False
    smoke_fails: bool = False
    noisy: float = 0.0
    """Share of the requests of users that write an error to the log and are answered as if all was well."""
    deprecated: bool = False
    """It says at its start that it uses what is deprecated."""
    forgetful: bool = False
    """Sessions that the other colour made are not known to it: as if its cookie secret were another."""
    mislabelled: bool = False
    """Its pages name another version in their footer: as if half of it was not replaced."""
    crash_after: float | None = None
    """Seconds after the start at which the process dies; None: it does not."""

    @staticmethod
    def parse(text: str) -> "Faults":
        """Faults as `name` or `name:value`, separated by commas; ValueError names what is unknown."""
        faults = Faults()
        for word in filter(None, text.split(",")):
            name, _, value = word.strip().partition(":")
            if name not in READERS:
                raise ValueError(f"no fault is called {name!r}; there are {', '.join(READERS)}")
            faults = READERS[name](faults, value)
        return faults

    @staticmethod
    def of_version(version: str) -> "Faults":
        """The faults of a release; none for a version that does not name one."""
        if version in BROKEN_RELEASES:
            return Faults.parse(BROKEN_RELEASES[version])
        match = SUFFIX.fullmatch(version)
        if match is None or match["name"] not in READERS:
            return Faults()
        return Faults.parse(f"{match['name']}:{match['value'] or ''}")

    def error_now(self) -> bool:
        """Whether this request is one of those that get a 500."""
        return random.random() < self.errors

    def complains_now(self) -> bool:
        """Whether this request is one of those that write an error to the log."""
        return random.random() < self.noisy

    def refuses(self, user: str) -> bool:
        """Whether this user is one of those who cannot log in: a fault in their data, so always the same."""
        return crc32(user.encode()) % 1000 < self.login * 1000

    def delay(self, elapsed: float) -> float:
        """Seconds to wait before an answer that took `elapsed` seconds."""
        return elapsed * (self.slow_factor - 1) + self.slow_seconds


def _share(value: str) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not {value}")
    return share


def _slow(faults: Faults, value: str) -> Faults:
    if value.endswith("ms"):
        return replace(faults, slow_seconds=float(value.removesuffix("ms")) / 1000)
    return replace(faults, slow_factor=float(value))


READERS: Mapping[str, Callable[[Faults, str], Faults]] = {
    "errors": lambda faults, value: replace(faults, errors=_share(value)),
    "login": lambda faults, value: replace(faults, login=_share(value)),
    "slow": _slow,
    "hang": lambda faults, _: replace(faults, hang=True),
    "noisy": lambda faults, value: replace(faults, noisy=_share(value)),
    "deprecated": lambda faults, _: replace(faults, deprecated=True),
    "never-ready": lambda faults, _: replace(faults, never_ready=True),
    "smoke-fails": lambda faults, _: replace(faults, smoke_fails=True),
    "forgetful": lambda faults, _: replace(faults, forgetful=True),
    "mislabelled": lambda faults, _: replace(faults, mislabelled=True),
    "crash-after": lambda faults, value: replace(faults, crash_after=float(value)),
}
