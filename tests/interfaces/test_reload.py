"""POST /v1/reload: what it answers. That the daemon then begins again is in tests/e2e/test_reload.py."""

from pathlib import Path
from typing import Any

from bluegreen.app.requests import Caller
from bluegreen.domain.errors import ConfigurationError
from bluegreen.interfaces.api import ROUTES
from bluegreen.interfaces.peers import Right
from tests.interfaces.conftest import serving, session
from tests.interfaces.scripts import ScriptedService


class Renewable(ScriptedService):
    """Begins again, or has a configuration that cannot be used."""

    wrong: tuple[str, ...] = ()

    async def reload(self, caller: Caller) -> tuple[str, ...]:
        if self.wrong:
            problems = [{"key": key, "line": 3} for key in self.wrong]
            raise ConfigurationError("it has problems", next=("bluegreen config check",), problems=problems)
        return (f"asked by {caller.who.partition(' (')[0]}",)


async def asked(service: ScriptedService, path: Path, **body: Any) -> tuple[int, Any]:
    """Status and document of the answer."""
    async with serving(service, path), session(path) as http, http.post("/v1/reload", json=body) as answer:
        return answer.status, await answer.json()


async def test_the_warnings_of_the_new_configuration_are_answered(socket_path: Path) -> None:
    status, document = await asked(Renewable(), socket_path)
    assert status == 202
    assert document["warnings"][0].startswith("asked by uid ")


async def test_every_reason_is_told_where_it_cannot_be_used(socket_path: Path) -> None:
    service = Renewable()
    service.wrong = ("watch.window", "caddy.admin")
    status, problem = await asked(service, socket_path)
    assert (status, problem["code"]) == (422, "configuration")
    assert [found["key"] for found in problem["problems"]] == ["watch.window", "caddy.admin"]
    assert problem["next"] == ["bluegreen config check"]


async def test_a_body_that_asks_for_more_is_refused(socket_path: Path) -> None:
    status, _ = await asked(Renewable(), socket_path, file="/tmp/other.toml")
    assert status == 422


async def test_a_daemon_that_cannot_begin_again_says_so(socket_path: Path) -> None:
    status, problem = await asked(ScriptedService(), socket_path)
    assert (status, problem["next"]) == (409, ["systemctl restart bluegreen"])


def test_only_admins_may() -> None:
    (right,) = [route.right for route in ROUTES if route.path == "/v1/reload"]
    assert right is Right.ADMIN
