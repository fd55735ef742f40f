"""The webhook: nothing of it that is secret gets out, whatever goes wrong."""

import logging
import traceback

import pytest
from aiohttp import web

from bluegreen.adapters.notifiers.webhook import Webhook
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import NotifierFailed
from tests.adapters.checks.colours import serving
from tests.adapters.notifiers.test_contract import NOTICE
from tests.adapters.waiting import LONG


async def fails(url: str, timeout: float = LONG) -> NotifierFailed:
    webhook = Webhook("chat", url, timeout=timeout, headers={"Authorization": "Bearer t0ken"})
    with pytest.raises(NotifierFailed) as caught:
        await webhook.send(NOTICE)
    return caught.value


async def test_headers_and_content_type_are_sent() -> None:
    seen: list[tuple[str, str, str]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.headers["Authorization"], request.headers["Content-Type"]))
        return web.Response(status=201)

    async with serving(note) as address:
        await Webhook("chat", f"http://{address}/", headers={"Authorization": "Bearer t0ken"}).send(NOTICE)
    assert seen == [("POST", "Bearer t0ken", "application/json")]


async def test_a_redirect_is_not_followed() -> None:
    paths: list[str] = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with serving(redirect) as address:
        error = await fails(f"http://{address}/hook")
    assert paths == ["/hook"]
    assert error.detail == "notifier chat: the receiver answered 307"


async def test_no_failure_tells_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text="s3cret", reason="s3cret")

    (nowhere,) = free_ports(1)
    async with serving(refuse) as address:
        urls = [
            f"http://{address}/s3cret",
            f"http://127.0.0.1:{nowhere}/s3cret",
            f"https://{address}/s3cret",
            "http://s3cret:99999/",
            "s3cret://127.0.0.1/",
            "no url: s3cret",
            "http://[s3cret/",
        ]
        for url in urls:
            error = await fails(url)
            told = "".join([repr(error), str(error.facts), *traceback.format_exception(error)])
            assert "notifier chat: " in told
            assert "s3cret" not in told, url
            assert "t0ken" not in told, url
            assert error.__context__ is None
    assert not any("s3cret" in record.getMessage() for record in caplog.records if record.name.startswith("bluegreen"))


async def test_a_receiver_that_is_not_there_says_so() -> None:
    (nowhere,) = free_ports(1)
    error = await fails(f"http://127.0.0.1:{nowhere}/")
    assert error.detail == "notifier chat: not delivered: Connection refused"
