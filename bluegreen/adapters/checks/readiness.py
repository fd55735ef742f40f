"""Whether a service of a colour is ready for users: one plain request to each of its addresses."""

from collections.abc import Container
from pathlib import Path

from bluegreen.adapters.checks.http import HttpCheck, HttpSpec
from bluegreen.domain.answers import SUCCESS, Expectations
from bluegreen.domain.checks import CheckResult, Target


class HttpReadiness:
    """The Readiness port over HTTP; it never retries by itself, since successes in a row are counted outside."""

    def __init__(
        self,
        service: str,
        *,
        path: str = "/",
        statuses: Container[int] = SUCCESS,
        consecutive: int = 3,
        interval: float = 1.0,
        timeout: float = 2.0,
        verify: bool | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`interval` and `timeout` in seconds; `verify` and `ca_file` as in HttpSpec."""
        self._service = service
        self._consecutive = consecutive
        self._interval = interval
        self._check = HttpCheck(
            HttpSpec(
                name=f"readiness of {service}",
                service=service,
                path=path,
                expect=Expectations(status=statuses),
                timeout=timeout,
                verify=verify,
                ca_file=ca_file,
            )
        )

    @property
    def service(self) -> str:
        return self._service

    @property
    def consecutive(self) -> int:
        return self._consecutive

    @property
    def interval(self) -> float:
        return self._interval

    async def check(self, target: Target) -> CheckResult:
        """Ask every address of the service once; passed when all answer with one of the statuses."""
        return await self._check.check(target)
