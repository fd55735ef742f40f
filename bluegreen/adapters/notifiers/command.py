"""Tells people by a command that reads one JSON document on its standard input."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bluegreen.adapters.notifiers.wishes import EVERYTHING, Wishes, document
from bluegreen.domain.errors import NotifierFailed
from bluegreen.domain.records import Notice
from bluegreen.processes import CommandFailed, run_command
from bluegreen.processes import environment as child_environment


class CommandNotifier:
    """The Notifier port on a command: argv as it is, exit code 0 is a delivery."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        wishes: Wishes = EVERYTHING,
        environment: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        timeout: float = 10.0,
        cwd: Path | None = None,
    ) -> None:
        """`environment`: variables of its own; `passed`: names of ours that it sees; `timeout` in seconds."""
        self._name = name
        self._argv = tuple(argv)
        self._wishes = wishes
        self._environment = dict(environment or {})
        self._passed = tuple(passed)
        self._timeout = timeout
        self._cwd = cwd

    @property
    def name(self) -> str:
        """The name in [[notify]]."""
        return self._name

    def wants(self, notice: Notice) -> bool:
        """Whether event and severity are wanted."""
        return self._wishes.match(notice)

    async def send(self, notice: Notice) -> None:
        """Run the command once. Raises NotifierFailed with what it said last."""
        try:
            ran = await run_command(
                self._argv,
                timeout=self._timeout,
                env=child_environment(self._environment, self._passed),
                cwd=self._cwd,
                stdin=document(notice),
            )
        except CommandFailed as exc:
            raise NotifierFailed(f"notifier {self._name}: {exc.detail}", notifier=self._name) from exc
        if ran.code != 0:
            raise NotifierFailed(
                f"notifier {self._name}: {self._argv[0]} ended with exit code {ran.code}: {ran.last_line}",
                notifier=self._name,
            )
