"""Traefik as the balancer, beside the contract: shares, what it refuses, the card, and what stands in its file."""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from bluegreen.adapters.balancers.traefik import TraefikBalancer
from bluegreen.adapters.balancers.traefik_document import STAMP, parsed, rendered, services_in, traffic_of, written
from bluegreen.demo.ports import free_ports
from bluegreen.demo.traefik import EmbeddedTraefik
from bluegreen.domain.errors import ChangeRefused, ConnectionLost, MovedOutside, RouteNotFound
from bluegreen.domain.traffic import Colour, Service, Split
from tests.adapters.balancers.bench_traefik import first_text
from tests.adapters.balancers.sites import HERA, KRATOS, SERVICES, StoppedClock

BLUE, GREEN = Colour.BLUE, Colour.GREEN
FIVE, QUARTER = Split(GREEN, 0.05), Split(GREEN, 0.25)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bluegreen.yml"
    path.write_text(first_text())
    return path


def balancer(file: Path, *services: Service, api: str | None = None) -> TraefikBalancer:
    return TraefikBalancer(file, services or SERVICES, timeout=2.0, clock=StoppedClock(), api=api)


async def test_the_file_is_json_under_a_comment_that_says_whose_it_is(file: Path) -> None:
    await balancer(file).switch(GREEN, 7)
    first, _, rest = file.read_text().partition("\n")
    assert first.startswith("# Kept by bluegreen")
    value = json.loads(rest)["http"]["services"]
    assert value["hera"] == {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:18401"}], "passHostHeader": True}}
    assert value[STAMP]["loadBalancer"]["servers"][1]["url"] == "http://g7.bluegreen.invalid/hera/127.0.0.1:18401"


async def test_a_service_that_speaks_tls_is_dialled_so(file: Path) -> None:
    tls = replace(HERA, scheme="https")
    await balancer(file, KRATOS, tls).switch(GREEN, 7)
    assert "https://127.0.0.1:18401" in file.read_text()
    assert (await balancer(file, KRATOS, tls).observe()).colour is GREEN


def test_an_address_without_a_port_is_that_of_its_scheme() -> None:
    service = Service("web", {BLUE: ("a.internal:443",), GREEN: ("b.internal:80",)}, scheme="https")
    found = {"web": {"loadBalancer": {"servers": [{"url": "https://a.internal"}]}}}
    assert traffic_of(found, (service,), "here").colour is BLUE


NOT_OURS = (
    "[]",
    '{"http": 1}',
    '{"http": {"services": [1]}}',
    '{"http": {"services": {"hera": {"loadBalancer": {"servers": [{"url": 7}]}}}}}',
    "http:\n  services: {}\n",
    "",
)


@pytest.mark.parametrize("text", NOT_OURS)
async def test_a_file_that_is_not_ours_is_refused_and_only_the_way_back_writes_it_anew(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(RouteNotFound, match="is not the JSON that bluegreen keeps there") as caught:
        await balancer(file).observe()
    assert caught.value.next
    with pytest.raises(RouteNotFound):
        await balancer(file).switch(GREEN, 8, expected=BLUE)
    await balancer(file).switch(BLUE, 8)
    traffic = await balancer(file).observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 8)


LED_ASTRAY = (
    '{"http": {"services": {"hera": {"loadBalancer": {"servers": [{"url": "http://10.9.9.9:1"}]}}}}}',
    '{"http": {"services": {}}}',
)


@pytest.mark.parametrize("text", LED_ASTRAY, ids=("dials edited by hand", "services taken out"))
async def test_dials_that_somebody_changed_by_hand_keep_nobody_from_the_way_back(file: Path, text: str) -> None:
    there = balancer(file)
    await there.switch(GREEN, 7)
    file.write_text(text)
    with pytest.raises(RouteNotFound):
        await there.switch(GREEN, 8, expected=GREEN)
    await there.switch(BLUE, 8)
    traffic = await there.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 8)


async def test_a_file_that_was_replaced_and_cannot_be_read_back_is_to_be_looked_at(file: Path) -> None:
    """A bare exception here would have ended the way back as an internal error."""

    def replaced_by_a_pipe(source: str, target: str, directory: int) -> None:
        os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
        os.unlink(target, dir_fd=directory)
        os.mkfifo(target, dir_fd=directory)

    there = TraefikBalancer(file, SERVICES, timeout=2.0, clock=StoppedClock(), rename=replaced_by_a_pipe)
    with pytest.raises(ConnectionLost, match="cannot be read back"):
        await there.switch(GREEN, 7)


async def test_a_file_that_is_missing_is_named_and_the_way_back_makes_it(file: Path) -> None:
    file.unlink()
    with pytest.raises(RouteNotFound, match="there is no such file"):
        await balancer(file).validate()
    await balancer(file).switch(BLUE, 8)
    assert (await balancer(file).observe()).colour is BLUE


async def test_a_fallback_is_refused_in_words(file: Path) -> None:
    with pytest.raises(ChangeRefused, match="sends nobody back by itself"):
        await balancer(file).switch(GREEN, 7, expected=BLUE, fallback=True)


async def test_shares_of_several_services_are_refused_in_words(file: Path) -> None:
    with pytest.raises(ChangeRefused, match="for each service by itself"):
        await balancer(file).split(FIVE, 1, expected=BLUE)
    assert (await balancer(file).observe()).generation is None


async def test_it_goes_from_share_to_share_to_all_and_from_any_share_back(file: Path) -> None:
    alone = balancer(file, HERA)
    await alone.split(FIVE, 1, expected=BLUE)
    traffic = await alone.observe()
    assert (traffic.split, traffic.colour, traffic.generation) == (FIVE, None, 1)
    await alone.split(QUARTER, 2, expected=FIVE)
    with pytest.raises(MovedOutside):
        await alone.split(FIVE, 3, expected=FIVE)
    await alone.switch(GREEN, 3, expected=QUARTER)
    assert (await alone.observe()).colour is GREEN
    await alone.split(FIVE, 4, expected=GREEN)
    await alone.switch(BLUE, 5)
    found = services_in(parsed(file.read_bytes()))
    assert found["hera"]["loadBalancer"] == {"servers": [{"url": "http://127.0.0.1:18301"}], "passHostHeader": True}
    assert {"hera-blue", "hera-green"}.isdisjoint(found)


def test_what_was_written_is_read_as_what_it_says() -> None:
    value = parsed(first_text((HERA,)).encode())
    places: tuple[Colour | Split, ...] = (GREEN, FIVE, BLUE, Split(BLUE, 0.0125))
    for generation, to in enumerate(places):
        value = parsed(rendered(written(value, (HERA,), to, generation, "example.org")))
        traffic = traffic_of(services_in(value), (HERA,), "here")
        assert (traffic.split or traffic.colour, traffic.generation) == (to, generation)


async def test_the_card_alone_leads_back(file: Path) -> None:
    there = balancer(file)
    await there.switch(GREEN, 7)
    card = await there.card(BLUE, 8)
    assert card.pointer == str(file)
    async with TraefikBalancer.of_card(card, StoppedClock()) as back:
        await back.switch(card.colour, card.generation)
    traffic = await there.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 8)


async def test_the_plan_is_told_what_a_switch_costs(file: Path) -> None:
    assert "nothing is lost" in (await balancer(file).costs())[0]
    assert "shares are of new users" in (await balancer(file, HERA).costs())[1]


async def test_an_api_that_is_none_of_traefik_s_is_as_if_it_were_not_there(file: Path) -> None:
    async with balancer(file, api=f"http://127.0.0.1:{free_ports(1)[0]}") as asked:
        with capture_logs() as told:
            await asked.switch(GREEN, 7)
            assert (await asked.observe()).generation == 7
            assert (await asked.observe()).generation == 7
    assert [each["event"] for each in told] == ["balancer.api_silent"]


@pytest.fixture
async def traefik(tmp_path: Path) -> AsyncIterator[EmbeddedTraefik]:
    traefik = EmbeddedTraefik(tmp_path, *free_ports(2))
    traefik.routes({"hera": "hera.example.org"})
    traefik.file.write_text(first_text())
    try:
        await traefik.start()
        yield traefik
    finally:
        await traefik.kill()


@pytest.mark.real
async def test_a_service_that_no_router_names_is_refused(traefik: EmbeddedTraefik) -> None:
    async with balancer(traefik.file, api=traefik.api) as asked:
        with pytest.raises(RouteNotFound, match="no router of Traefik leads to kratos@file"):
            await asked.validate()
    async with balancer(traefik.file, HERA, api=traefik.api) as asked:
        await asked.validate()


@pytest.mark.real
async def test_a_user_stays_where_he_was_sent_and_so_many_are_sent_to_the_new_colour(traefik: EmbeddedTraefik) -> None:
    async with balancer(traefik.file, HERA, api=traefik.api) as asked:
        await asked.split(QUARTER, 1, expected=BLUE)
        assert (await asked.observe()).split == QUARTER
        drawn: Counter[str] = Counter()
        for _ in range(40):
            drawn[await _drawn(traefik, "")] += 1
        cookie = next(iter(drawn))
        assert sorted(drawn.values()) == [10, 30]
        assert await _drawn(traefik, cookie) in ("", cookie)


async def _drawn(traefik: EmbeddedTraefik, cookie: str) -> str:
    """The cookie that a user gets who comes with this one."""
    headers = {"Host": "hera.example.org"} | ({"Cookie": f"bluegreen={cookie}"} if cookie else {})
    async with aiohttp.ClientSession() as session, session.get(traefik.front, headers=headers) as answer:
        morsel = answer.cookies.get("bluegreen")
        return morsel.value if morsel else ""
