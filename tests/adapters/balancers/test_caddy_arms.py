"""The arms on a real Caddy: who is sent where, by what a file says, by the user's place, by a secret."""

import asyncio
import json
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bluegreen.adapters.balancers.caddy_arms import (
    Style,
    fallback_proxy,
    plain_proxy,
    pointer_arms,
    refuse_several,
    split_arms,
    stamped,
)
from bluegreen.adapters.balancers.caddy_shares import pattern_below, place, places_below
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.errors import AddressInvalid
from bluegreen.domain.traffic import Colour, Split
from bluegreen.processes import environment, run_command
from tests.adapters.balancers.armed_stand import SITE, ArmedStand, armed_stand
from tests.adapters.balancers.sites import HERA, KRATOS, Json, proxy, read

BLUE, GREEN = Colour.BLUE, Colour.GREEN
PLACES = [place(number) for number in range(4096)]
SECRET = "s3cret+{of}.the*operator"


@pytest.fixture
async def stand(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[ArmedStand]:
    async with armed_stand(caddy, short_directory / "bg") as stand:
        yield stand


# --- places and shares


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.025, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.625, 0.75, 0.9, 0.999, 1])
def test_the_pattern_of_a_share_fits_exactly_the_places_below_it(share: float) -> None:
    below = re.compile(pattern_below(share))
    fitting = [each for each in PLACES if below.search(each)]
    assert fitting == PLACES[: places_below(share)]
    assert abs(len(fitting) / 4096 - share) <= 1 / 4096


def test_every_border_there_is_has_its_pattern() -> None:
    for number in range(1, 4096):
        below = re.compile(pattern_below(number / 4096))
        assert [bool(below.search(each)) for each in (PLACES[0], PLACES[number - 1], PLACES[number], "fff")] == [
            True,
            True,
            False,
            number == 4096,
        ]


def test_whoever_is_in_a_share_is_in_every_larger_one() -> None:
    shares = [0.01, 0.05, 0.25, 0.5, 0.9]
    chosen = [{each for each in PLACES if re.search(pattern_below(share), each)} for share in shares]
    assert all(small < large for small, large in pairwise(chosen))


@pytest.mark.parametrize("meddled", ["", "0", "0000", "00g", "0A0", "000\n", " 000", "000;"])
def test_a_place_is_three_hex_digits_and_nothing_else(meddled: str) -> None:
    assert not re.search(pattern_below(0.999).replace("$", r"\Z"), meddled)  # as Go's $, which is the very end


# --- what is kept of the operator's own


OWN = {
    "headers": {"request": {"set": {"X-Real": ["{http.request.remote.host}"]}}},
    "transport": {"protocol": "http", "dial_timeout": 7},
    "health_checks": {"active": {"uri": "/healthz"}, "passive": {"unhealthy_status": [503]}},
    "load_balancing": {"selection_policy": {"policy": "least_conn"}, "retries": 4},
    "flush_interval": -1,
    "handle_response": [{"routes": [{"handle": [{"handler": "copy_response", "@id": "inner"}]}]}],
}


def original() -> dict[str, Json]:
    upstreams = [{"@id": "mine", "dial": "127.0.0.1:18301", "max_requests": 9}]
    return {**proxy(**OWN), "upstreams": upstreams, "@id": "the-operators-own"}


def proxies_of(handler: Json) -> list[dict[str, Json]]:
    return [each["handle"][0] for each in handler["routes"] if each["handle"][0]["handler"] == "reverse_proxy"]


def test_every_arm_keeps_all_that_the_operator_wrote_but_ids() -> None:
    arms = proxies_of(pointer_arms(HERA, original(), Style(pointer=Path("/x/live"), fallback=True), BLUE))
    assert len(arms) == 5
    for arm in arms[:2]:
        assert {key: arm[key] for key in OWN if key != "handle_response"} == {
            key: OWN[key] for key in OWN if key != "handle_response"
        }
    for arm in arms:
        assert (arm["headers"], arm["flush_interval"]) == (OWN["headers"], OWN["flush_interval"])
        assert "@id" not in json.dumps(arm)
        assert all(upstream["max_requests"] == 9 for upstream in arm["upstreams"])


def test_a_second_address_is_tried_once_the_first_has_failed_and_own_checks_stay() -> None:
    style = Style(pointer=Path("/x/live"), fallback=True, response_header_timeout=2.5)
    for arm in proxies_of(pointer_arms(HERA, original(), style, BLUE))[2:]:
        assert arm["load_balancing"] == {"selection_policy": {"policy": "first"}, "retries": 4}
        assert arm["health_checks"]["active"] == {"uri": "/healthz"}
        assert arm["health_checks"]["passive"] == {
            "unhealthy_status": [503],
            "fail_duration": 10_000_000_000,
            "max_fails": 3,
        }
        assert arm["transport"] == {"protocol": "http", "dial_timeout": 7, "response_header_timeout": 2_500_000_000}
        assert len(arm["upstreams"]) == 2


def test_an_operators_own_limits_stay() -> None:
    own = proxy(
        "127.0.0.1:18301",
        stream_close_delay="1h",
        transport={"protocol": "http", "response_header_timeout": 5},
        load_balancing={"try_duration": 9},
    )
    style = Style(pointer=Path("/x/live"), fallback=True, response_header_timeout=2.5, stream_close_delay=60)
    arms = proxies_of(pointer_arms(HERA, own, style, BLUE))
    assert {arm["stream_close_delay"] for arm in arms} == {"1h"}
    assert all(arm["transport"]["response_header_timeout"] == 5 for arm in arms)
    assert all("retries" not in arm["load_balancing"] for arm in arms), "his try_duration tries again already"
    fastcgi = proxy("127.0.0.1:18301", transport={"protocol": "fastcgi"})
    assert all(
        arm["transport"] == {"protocol": "fastcgi"} for arm in proxies_of(pointer_arms(HERA, fastcgi, style, BLUE))
    )


def test_streams_are_given_the_delay_that_is_wished_in_every_arm_and_in_a_plain_proxy() -> None:
    style = Style(pointer=Path("/x/live"), fallback=True, stream_close_delay=600)
    arms = proxies_of(pointer_arms(HERA, proxy("127.0.0.1:18301"), style, BLUE))
    plain = plain_proxy(HERA, proxy("127.0.0.1:18301"), style, GREEN, 7)
    assert {arm["stream_close_delay"] for arm in [*arms, plain]} == {600_000_000_000}


def test_what_stands_in_mode_rewrite_has_a_number_of_its_own_for_each_address() -> None:
    style = Style(preview=SECRET)
    built = split_arms(KRATOS, proxy("127.0.0.1:18101"), style, Split(GREEN, 0.05), 7, first=4)
    ids = re.findall(r'"@id": "(.*?)"', json.dumps(built))
    assert ids == [f"bluegreen-kratos-{number}-g7" for number in range(4, 10)]
    assert stamped(built) == 6, "two of green, one of blue, and both for the preview"
    assert stamped(fallback_proxy(KRATOS, proxy("127.0.0.1:18101"), style, GREEN, 7)) == 3
    assert stamped(plain_proxy(KRATOS, proxy("127.0.0.1:18101"), style, GREEN, 7)) == 2


def test_the_secret_is_in_the_matchers_and_not_beside_them() -> None:
    arms = pointer_arms(HERA, proxy("127.0.0.1:18301"), Style(pointer=Path("/x/live"), preview="abcdef"), BLUE)
    assert json.dumps(arms).count("abcdef") == 2


def test_a_fallback_is_refused_where_a_colour_has_several_addresses() -> None:
    refuse_several([HERA])
    with pytest.raises(AddressInvalid, match=r"green of service kratos has 2: 127\.0\.0\.1:18201, 127\.0\.0\.1:18202"):
        refuse_several([HERA, KRATOS])


# --- the file chooses


@pytest.mark.real
async def test_each_word_leads_to_its_colour_at_the_next_request(stand: ArmedStand) -> None:
    await stand.arm(stand.style(fallback=True))
    for line, colour in [
        ("green g43\n", GREEN),
        ("blue", BLUE),
        ("green", GREEN),
        ("blue-or-green g44\n", BLUE),
        ("green-or-blue g45\n", GREEN),
        ("", BLUE),
        ("what g7", BLUE),
        ("green-5 g7", BLUE),
        ("greenish", BLUE),
        ("green\n\n", GREEN),
    ]:
        stand.point(line)
        assert (await stand.ask()).colour == colour, line
    stand.live.unlink()
    assert (await stand.ask()).colour == BLUE, "missing: the last arm, who was live goes first"
    stand.live.mkdir()
    assert (await stand.ask()).colour == BLUE, "not readable: the same"


@pytest.mark.real
async def test_without_a_word_whoever_is_alive_answers(stand: ArmedStand) -> None:
    await stand.arm()
    await stand.blue.stop()
    assert {(await stand.ask(method)).colour for method in ("GET", "POST")} == {GREEN}


@pytest.mark.real
async def test_a_large_body_passes_an_arm_whole(stand: ArmedStand) -> None:
    await stand.arm()
    stand.point("green g1\n")
    answer = await stand.ask("POST", body=b"x" * (1 << 20))
    assert (answer.colour, answer.headers["length"]) == (GREEN, str(1 << 20))


@pytest.mark.real
async def test_who_knows_the_nonce_is_told_the_word_and_nobody_else(stand: ArmedStand) -> None:
    await stand.arm()
    stand.point("green g43\n")
    assert (await stand.ask(X_Bluegreen_Pointer="")).status == 200, "no nonce was planted, and none was sent"
    (stand.directory / "nonce").write_text("n0nce-of-ours\n")
    told = await stand.ask(X_Bluegreen_Pointer="n0nce-of-ours")
    assert (told.status, told.headers["X-Bluegreen-Pointer"]) == (204, "green g43")
    assert (await stand.ask(X_Bluegreen_Pointer="guessed")).colour == GREEN


@pytest.mark.real
async def test_a_proxy_that_goes_on_to_the_operators_next_handler_still_does(stand: ArmedStand) -> None:
    on = {"handle_response": [{"match": {"status_code": [2]}, "routes": [{"handle": [{"handler": "headers"}]}]}]}
    own = proxy(*stand.service.addresses[BLUE], **on)
    arms = pointer_arms(stand.service, own, stand.style(fallback=True), BLUE)
    own_next = {"handler": "static_response", "status_code": 299, "body": "the site itself"}
    await stand.serve({"handler": "subroute", "routes": [{"handle": [arms]}, {"handle": [own_next]}]})
    for line in ("blue", "green", "green-or-blue", ""):
        stand.point(line)
        assert (await stand.ask()).status == 299, line
    assert len(stand.blue.asked) == len(stand.green.asked) == 2, "and each request is asked about once"


# --- shares


@pytest.mark.real
async def test_a_user_has_one_place_for_all_shares_of_both_colours(stand: ArmedStand) -> None:
    shares = (0.05, 0.25, 0.625)
    await stand.arm(stand.style(shares=shares))
    asked = [0, 1, *(places_below(share) + near for share in shares for near in (-1, 0)), 4095]
    for share in shares:
        for colour in Colour:
            stand.point(f"{colour}-{share * 100:g} g1\n")
            for number in asked:
                answer = await stand.ask(Cookie=f"a=b; bluegreen={place(number)}; bluegreen=000")
                assert answer.colour == (colour if number < places_below(share) else colour.other)
                assert answer.cookies == ("session=of-the-application",), "who has a place is given none"


@pytest.mark.real
async def test_who_has_no_place_draws_one_and_keeps_it(stand: ArmedStand) -> None:
    await stand.arm(stand.style(shares=(0.25, 0.5), cookie_domain="example.org"))
    stand.point("green-25 g1\n")
    met = Counter[str]()
    for _ in range(300):
        answer = await stand.ask()
        own, ours = answer.cookies
        assert own == "session=of-the-application"
        found = re.fullmatch(
            r"bluegreen=([0-9a-f]{3}); Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Domain=example.org", ours
        )
        assert found
        assert (answer.colour == GREEN) == (int(found[1], 16) < 1024)
        assert (await stand.ask(Cookie=f"bluegreen={found[1]}")).colour == answer.colour
        met[answer.colour] += 1
    assert 30 < met[GREEN] < 130, "75 are expected; six standard deviations are 45"


@pytest.mark.real
@pytest.mark.parametrize("meddled", ["", "zzz", "00", "0000", "FFF", "{http.request.uuid}", "000%0a"])
async def test_a_cookie_that_somebody_meddled_with_is_none(stand: ArmedStand, meddled: str) -> None:
    await stand.arm(stand.style(shares=(0.05,)))
    stand.point("green-5 g1\n")
    answer = await stand.ask(Cookie=f"bluegreen={meddled}")
    assert len(answer.cookies) == 2, "a place is drawn, and a cookie set"


@pytest.mark.real
@pytest.mark.parametrize("sent", [{}, {"Cookie": "bluegreen=000"}, {"Bluegreen-Preview": "s3cret"}], ids=str)
async def test_a_websocket_passes_a_share_and_a_preview(stand: ArmedStand, sent: dict[str, str]) -> None:
    await stand.arm(stand.style(shares=(0.625,), preview="s3cret"))
    stand.point("green-62.5 g1\n")
    url = f"http://127.0.0.1:{stand.front}/socket"
    async with stand.session.ws_connect(url, headers={"Host": SITE, **sent}) as socket:
        await socket.send_str("who?")
        met = await socket.receive_str(timeout=20.0)
    assert met in {str(colour) for colour in Colour}
    assert met == GREEN or not sent


@pytest.mark.real
async def test_no_cookie_is_set_while_users_go_to_one_colour(stand: ArmedStand) -> None:
    await stand.arm(stand.style(shares=(0.05,)))
    for line in ("green g1", "blue g2", ""):
        stand.point(line)
        assert len((await stand.ask()).cookies) == 1


@pytest.mark.real
async def test_over_tls_the_cookie_is_for_tls_alone_and_http_2_passes_the_arms(stand: ArmedStand) -> None:
    arms = pointer_arms(stand.service, proxy(*stand.service.addresses[BLUE]), stand.style(shares=(0.05,)), BLUE)
    await stand.serve(arms, tls=True)
    stand.point("green-5 g1\n")
    async with asyncio.timeout(20.0):
        while (answer := await stand.certified()) is None:
            await asyncio.sleep(0.02)
    assert answer.cookies[1].endswith("; HttpOnly; SameSite=Lax; Secure")
    if curl := shutil.which("curl"):
        name = f"{SITE}:{stand.front}"
        argv = [curl, "-sk", "--http2", "--resolve", f"{name}:127.0.0.1", "-w", " %{http_version}", f"https://{name}/"]
        ran = await run_command([*argv, "-H", "Cookie: bluegreen=000"], timeout=20.0, env=environment())
        assert ('"colour": "green"' in ran.output, ran.output.split()[-1]) == (True, "2")


@pytest.mark.real
async def test_in_mode_rewrite_the_same_users_meet_the_new_colour(stand: ArmedStand) -> None:
    own = proxy(*stand.service.addresses[BLUE])
    await stand.serve(split_arms(stand.service, own, Style(preview="s3cret"), Split(GREEN, 0.05), 7))
    for number in (0, 204, 205, 4095):
        answer = await stand.ask(Cookie=f"bluegreen={place(number)}")
        assert answer.colour == (GREEN if number < 205 else BLUE)
    assert (await stand.ask(Cookie="bluegreen=fff; bluegreen_preview=s3cret")).colour == GREEN
    assert len((await stand.ask()).cookies) == 2


# --- previews


@pytest.mark.real
@pytest.mark.parametrize("way", ["header", "cookie"])
async def test_the_secret_leads_to_the_colour_that_nobody_is_sent_to(stand: ArmedStand, way: str) -> None:
    await stand.arm(stand.style(preview=SECRET, shares=(0.05,), fallback=True))
    sent: dict[str, Any] = (
        {"Bluegreen_Preview": SECRET} if way == "header" else {"Cookie": f"a=b; bluegreen_preview={SECRET}"}
    )
    for line, users, previews in [
        ("blue g1", BLUE, GREEN),
        ("green g1", GREEN, BLUE),
        ("green-or-blue", GREEN, BLUE),
        ("green-5 g2", BLUE, GREEN),
        ("blue-5", GREEN, BLUE),
    ]:
        stand.point(line)
        assert (await stand.ask(Cookie="bluegreen=fff")).colour == users
        seen = await stand.ask(**sent)
        assert seen.colour == previews, line
        assert seen.headers["Bluegreen-Answered-By"] == stand.service.addresses[previews][0]
        assert "Bluegreen-Preview" not in seen.seen, "the secret is not for the application"
        assert len(seen.cookies) == 1, "and who previews draws no place"


@pytest.mark.real
async def test_a_wrong_secret_is_a_users_request(stand: ArmedStand) -> None:
    await stand.arm(stand.style(preview=SECRET))
    stand.point("blue g1")
    for wrong in ("", "*", "s3cret", SECRET + "x", "x" + SECRET, "{of}", SECRET.upper()):
        answers = [await stand.ask(Bluegreen_Preview=wrong), await stand.ask(Cookie=f"bluegreen_preview={wrong}")]
        assert {answer.colour for answer in answers} == {BLUE}, wrong
        assert not any("Bluegreen-Answered-By" in answer.headers for answer in answers)


@pytest.mark.real
async def test_a_preview_of_a_colour_that_is_down_is_answered_by_the_live_one_and_says_so(stand: ArmedStand) -> None:
    await stand.arm(stand.style(preview=SECRET))
    stand.point("blue g1")
    await stand.green.stop()
    answer = await stand.ask(Bluegreen_Preview=SECRET)
    assert (answer.colour, answer.headers["Bluegreen-Answered-By"]) == (BLUE, stand.service.addresses[BLUE][0])


@pytest.mark.real
async def test_a_preview_is_told_from_users_in_the_access_log(stand: ArmedStand) -> None:
    await stand.arm(stand.style(preview=SECRET))
    stand.point("blue g1")
    await stand.ask(Bluegreen_Preview=SECRET)
    await stand.ask()
    async with asyncio.timeout(20.0):
        while not stand.log.exists() or stand.log.read_text().count("\n") < 2:
            await asyncio.sleep(0.02)
    lines = [json.loads(line) for line in stand.log.read_text().splitlines()]
    assert [line.get("bluegreen_preview") for line in lines] == ["1", None]


# --- the other colour, where this one does not answer


@pytest.mark.real
@pytest.mark.parametrize("mode", ["pointer", "rewrite"])
async def test_a_colour_that_dies_costs_nobody_a_request_and_takes_users_back_by_itself(
    stand: ArmedStand, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluegreen.adapters.balancers.caddy_proxies.LEFT_ALONE_SECONDS", 0.3)
    own = proxy(*stand.service.addresses[BLUE])
    if mode == "pointer":
        await stand.arm(stand.style(fallback=True), own)
        stand.point("green-or-blue g1")
    else:
        await stand.serve(fallback_proxy(stand.service, own, Style(fallback=True), GREEN, 7))
    assert await stand.colours() == {GREEN}
    await stand.green.stop()
    assert await stand.colours(1) == {BLUE}, "a GET first: what is written on a connection that dies then is lost"
    for method in ("GET", "POST") * 10:
        answer = await stand.ask(method, body=b"written once")
        assert (answer.status, answer.colour) == (200, BLUE)
    await stand.green.start()
    async with asyncio.timeout(20.0):
        while (await stand.ask()).colour != GREEN:
            await asyncio.sleep(0.05)


@pytest.mark.real
async def test_of_a_colour_that_hangs_what_is_written_is_not_written_twice(stand: ArmedStand) -> None:
    await stand.arm(stand.style(fallback=True, response_header_timeout=0.3))
    stand.point("green-or-blue g1")
    stand.green.answers.clear()
    answers = await asyncio.gather(*(stand.ask("POST", body=b"written once") for _ in range(3)))
    assert {answer.status for answer in answers} <= {502, 504}
    assert stand.green.asked == ["POST"] * 3, "it may have done it"
    assert stand.blue.asked == []
    assert (await stand.ask("POST", body=b"written once")).colour == BLUE, "and then it is left alone"


@pytest.mark.real
async def test_what_is_read_from_a_colour_that_hangs_is_answered_by_the_other_one(stand: ArmedStand) -> None:
    await stand.arm(stand.style(fallback=True, response_header_timeout=0.3))
    stand.point("green-or-blue g1")
    stand.green.answers.clear()
    assert (await stand.ask()).colour == BLUE
    stand.point("green g2")
    stand.green.answers.set()
    assert (await stand.ask()).colour == GREEN, "and the arm of green alone leaves nobody alone"


@pytest.mark.real
async def test_a_connection_that_breaks_by_accident_moves_nobody(stand: ArmedStand) -> None:
    await stand.arm(stand.style(fallback=True))
    stand.point("green-or-blue g1")
    stand.green.breaks = 1
    assert (await stand.ask("POST", body=b"written once")).status == 502
    assert (await stand.ask()).colour == GREEN


@pytest.mark.real
async def test_arms_come_out_of_caddy_as_they_went_in(stand: ArmedStand) -> None:
    style = stand.style(shares=(0.05,), preview=SECRET, fallback=True, stream_close_delay=600)
    built = pointer_arms(stand.service, original() | {"handle_response": []}, style, BLUE)
    await stand.serve(built)
    _, servers, _ = await read(stand.caddy.admin, "/config/apps/http/servers")
    assert servers["srv0"]["routes"][0]["handle"][0] == built
