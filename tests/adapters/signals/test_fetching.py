"""How a question is sent over HTTP: its headers, and whose certificate is believed."""

import asyncio
import socket
from pathlib import Path

import pytest

from bluegreen.adapters.signals.fetching import Fetcher, Page
from bluegreen.adapters.signals.names import Names
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import SignalFailed
from tests.adapters.signals.servers import serving

TLS = """
{{
    skip_install_trust
    persist_config off
    auto_https disable_redirects
}}
https://stats.test:{port} {{
    bind 127.0.0.1
    tls internal
    respond 7
}}
"""
HERE = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


async def test_headers_of_ones_own_replace_ours_however_they_are_spelt() -> None:
    with serving(lambda _: (200, b"1")) as server:
        await Fetcher(5.0, {"ACCEPT": "text/plain", "Host": "web.test"}).get(server.url)
    assert (server.asked[0].headers["accept"], server.asked[0].headers["host"]) == ("text/plain", "web.test")


@pytest.mark.real
async def test_a_certificate_that_nobody_trusts_is_refused_unless_it_is_not_to_be_verified(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    (port,) = free_ports(1)
    caddyfile = short_directory / "Caddyfile"
    caddyfile.write_text(TLS.format(port=port))
    await caddy.start(caddyfile)
    url, names = f"https://stats.test:{port}/", Names(lambda host, port: HERE)
    page = await _once_certified(Fetcher(5.0, verify=False, names=names), url)
    assert page == Page(200, b"7")
    with pytest.raises(SignalFailed, match="its certificate is not trusted"):
        await Fetcher(5.0, names=names).get(url)


async def _once_certified(fetcher: Fetcher, url: str) -> Page:
    """The answer, once Caddy has issued the certificate, which it does after its start."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await fetcher.get(url)
            except SignalFailed:
                await asyncio.sleep(0.05)
