"""Asks a colour by running a command: exit code 0 is yes, and its last line says why not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bluegreen.adapters.checks.attempts import Finding, until_passed
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.processes import CommandFailed, fill, run_command
from bluegreen.processes import environment as child_environment


class CommandCheck:
    """The Checker port on a command: argv with {colour} and {release} ("" where nobody knows which runs)."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        timeout: float = 30.0,
        retries: int = 0,
        retry_delay: float = 1.0,
        cwd: Path | None = None,
    ) -> None:
        """`environment`: variables of its own; `passed`: names of ours that it sees; `timeout` in seconds
        per try, after which all it started in its process group is ended."""
        self._name = name
        self._argv = tuple(argv)
        self._environment = dict(environment or {})
        self._passed = tuple(passed)
        self._timeout = timeout
        self._retries = retries
        self._retry_delay = retry_delay
        self._cwd = cwd

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._name

    async def check(self, target: Target) -> CheckResult:
        """Run it; passed when it exits with 0."""
        return await until_passed(self._name, lambda: self._run(target), self._retries, self._retry_delay)

    async def _run(self, target: Target) -> Finding:
        try:
            ran = await run_command(
                fill(self._argv, colour=target.colour, release=target.release),
                timeout=self._timeout,
                env=child_environment(self._environment, self._passed),
                cwd=self._cwd,
            )
        except CommandFailed as exc:
            return Finding(False, exc.detail)
        return Finding(ran.code == 0, ran.last_line if ran.code == 0 else f"exit code {ran.code}: {ran.last_line}")
