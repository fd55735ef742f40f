"""What the doctor says of who asks: nobody is named, all are one, or all is well."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.signals.access_sample import LOOKED_AT, Sample, sample
from bluegreen.adapters.signals.caddy_log import CaddyLog
from bluegreen.doctor import Finding, Level
from bluegreen.doctor.clients import ENOUGH, clients
from bluegreen.doctor.findings import Report
from tests.adapters.signals.heard import SERVICES, line

FORWARDED = b'"headers":{"X-Forwarded-For":["203.0.113.7"],'


async def examined(path: Path, *lines: bytes, balancer: str = "caddy") -> Finding:
    path.write_bytes(b"".join(lines))
    log = CaddyLog(path, SERVICES, on_witness=lambda *_: None, clock=SystemClock())
    settings: Any = SimpleNamespace(balancer=balancer, entrance=SimpleNamespace(access_log=path))
    outside: Any = SimpleNamespace(log=log)
    (finding,) = await clients(settings, outside, Report("clients"))
    return finding


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


async def test_clients_that_are_told_apart_are_well(path: Path) -> None:
    finding = await examined(path, *[line(client=f"203.0.113.{number % 5}") for number in range(ENOUGH)], b"{half a li")
    assert (finding.level, finding.detail) == (Level.OK, "the last 100 requests come from 5 clients")


async def test_lines_without_a_client_are_named(path: Path) -> None:
    finding = await examined(path, line(), line(client=None, remote=None), b"garbage\n")
    assert finding.level is Level.WARNING
    assert finding.detail.startswith(f"1 of the last 2 requests in {path} name no client")
    assert finding.next == (f"tail -n 3 {path}",)


async def test_a_proxy_that_nobody_vouches_for_is_named_with_what_to_configure(path: Path) -> None:
    finding = await examined(path, *[line(client="10.0.0.2").replace(b'"headers":{', FORWARDED)] * ENOUGH)
    assert finding.level is Level.WARNING
    assert "one client (they have X-Forwarded-For)" in finding.detail
    assert "trusted_proxies" in finding.detail


async def test_of_traefik_it_says_what_its_log_cannot_tell(path: Path) -> None:
    finding = await examined(path, *[line(client="10.0.0.2")] * ENOUGH, balancer="traefik")
    assert finding.level is Level.WARNING
    assert "Traefik's log names who connected" in finding.detail


async def test_few_requests_of_one_client_are_no_proxy(path: Path) -> None:
    assert (await examined(path, *[line()] * (ENOUGH - 1))).level is Level.OK


async def test_our_own_requests_are_nobodys(path: Path) -> None:
    finding = await examined(path, *[line(nonce=str(number)) for number in range(2 * ENOUGH)], line(404, upstream=""))
    assert (finding.level, finding.detail) == (Level.OK, f"{path} has no request of a user yet")


def test_only_the_end_of_a_long_log_is_looked_at(path: Path) -> None:
    old, new = line(client="10.0.0.1", agent="x" * 9000), line(client="10.0.0.2", agent="x" * 9000)
    path.write_bytes(old * 300 + new * 200)
    assert path.stat().st_size > 4 * LOOKED_AT
    assert sample(path, "X-Bluegreen-Probe") == Sample(lines=LOOKED_AT // len(new), nameless=0, forwarded=0, clients=1)
