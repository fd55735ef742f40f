"""Our arms are known by what they do: through the API or in a Caddyfile, whole or edited, nested as operators nest."""

import json
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.caddy_armed import armed_route
from bluegreen.adapters.balancers.caddy_arms import Style, fallback_proxy, pointer_arms, split_arms
from bluegreen.adapters.balancers.caddy_fitness import judged
from bluegreen.adapters.balancers.caddy_routes import handlers
from bluegreen.adapters.balancers.caddy_services import Located, locate, refuse_nested, refuse_unfit, traffic_of
from bluegreen.adapters.balancers.caddy_shares import place
from bluegreen.adapters.balancers.caddy_snippet import snippet
from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.domain.arming import Armed
from bluegreen.domain.errors import AddressInvalid, RouteAmbiguous, RouteNotFound
from bluegreen.domain.traffic import Colour, Service, Split
from bluegreen.processes import environment, run_command
from tests.adapters.balancers.armed_stand import SITE, ArmedStand, armed_stand
from tests.adapters.balancers.sites import HERA, KRATOS, Json, proxy, read, route, server, subroute

BLUE, GREEN = Colour.BLUE, Colour.GREEN
H = proxy("127.0.0.1:18301", flush_interval=-1)
STYLE = Style(
    pointer=Path("/etc/caddy/bluegreen/live"),
    shares=(0.05, 0.25),
    preview="s3cret",
    fallback=True,
    cookie_domain="x.org",
)
SPLIT = Split(GREEN, 0.05)


def armed(style: Style = STYLE, original: Json = H, live: Colour = BLUE) -> dict[str, Json]:
    return pointer_arms(HERA, original, style, live)


def servers_of(*handlers: Json, host: str = "hera.example.org", **keys: Json) -> Json:
    return {"srv0": server(route(*handlers, host=host), **keys)}


def found(handler: Json, service: Service = HERA) -> Located:
    (located,) = locate(servers_of(handler), [service])
    return located


def verdict(handler: Json, style: Style = STYLE) -> tuple[Armed, str]:
    return judged(HERA, found(handler).handlers[0], style)


def without_ids(node: Json) -> Json:
    if isinstance(node, dict):
        return {key: without_ids(value) for key, value in node.items() if key != "@id"}
    return [without_ids(each) for each in node] if isinstance(node, list) else node


# --- one handler, whatever stands in it


def test_a_route_of_arms_is_one_handler_that_keeps_what_it_replaced() -> None:
    (handler,) = found(armed()).handlers
    assert handler.place == "/config/apps/http/servers/srv0/routes/0/handle/0"
    assert handler.original == H
    assert handler.dials == ("127.0.0.1:18301", "127.0.0.1:18401")
    assert handler.armed
    assert handler.armed.pointer == "/etc/caddy/bluegreen/live"
    assert len(handlers(servers_of(armed()))) == 1, "and neither its proxies nor the text are handlers"


@pytest.mark.parametrize(
    "around",
    [
        lambda arms: subroute(route(subroute(route(arms)))),
        lambda arms: proxy("127.0.0.1:9", handle_response=[{"routes": [route(arms)]}]),
        lambda arms: subroute(route({"handler": "encode"}, arms), route(proxy("127.0.0.1:9"))),
    ],
    ids=["subroutes", "handle_response", "beside others"],
)
def test_arms_are_found_where_operators_nest_them(around: Callable[[Json], Json]) -> None:
    assert judged(HERA, found(around(armed())).handlers[0], STYLE) == (Armed.OURS, "")


def test_arms_in_a_named_route_are_found_by_the_sites_that_invoke_it() -> None:
    servers = servers_of({"handler": "invoke", "name": "app"}, named_routes={"app": route(armed())})
    (located,) = locate(servers, [HERA])
    assert located.handlers[0].place.endswith("/named_routes/app/handle/0")


def test_several_routes_of_one_service_move_together_or_not_at_all() -> None:
    every = replace(HERA, every_route=True)
    both = {"srv0": server(route(armed(), host=SITE), route(armed(), host=SITE))}
    (located,) = locate(both, [every])
    assert located.pointed("green g7").colour == GREEN
    mixed = {"srv0": server(route(armed(), host=SITE), route(H, host=SITE))}
    (located,) = locate(mixed, [every])
    assert (located.pointed("green g7").colour, located.pointed("blue g7").colour) == (None, BLUE)


def test_two_armed_services_in_one_site_are_told_apart() -> None:
    kratos = replace(KRATOS, site="hera.example.org")
    arms = pointer_arms(kratos, proxy("127.0.0.1:18101"), STYLE, BLUE)
    located = locate(servers_of(armed(), arms), [HERA, kratos])
    assert [each.handlers[0].place[-1] for each in located] == ["0", "1"]
    assert all(judged(each.service, each.handlers[0], STYLE)[0] == Armed.OURS for each in located)


def test_what_looks_like_arms_and_is_not_is_left_alone() -> None:
    bare: list[Json] = [None, [], "vars", {"handler": "subroute"}]
    for other in [*bare, subroute(), subroute(route(H)), subroute({"handle": 7})]:
        assert armed_route(other) is None
    assert armed_route(subroute(route({"handler": "vars", "bluegreen_to": 7}))) is None


# --- where users go


@pytest.mark.parametrize(
    ("line", "goes"),
    [
        ("green g43\n", (GREEN, None, False, 43)),
        ("blue", (BLUE, None, False, None)),
        ("green-or-blue g44", (GREEN, None, True, 44)),
        ("green-5 g45", (None, SPLIT, False, 45)),
        ("blue-25 g46", (None, Split(BLUE, 0.25), False, 46)),
        ("green-7 g47", (None, None, False, 47)),
        ("", (None, None, False, None)),
        ("purple g9", (None, None, False, None)),
    ],
)
def test_the_line_of_the_file_says_where_users_go(line: str, goes: tuple[object, ...]) -> None:
    traffic = found(armed()).pointed(line)
    assert (traffic.colour, traffic.split, traffic.fallback, traffic.generation) == goes


def test_dials_count_more_than_words() -> None:
    lying = armed()
    _proxy(lying, 0)["upstreams"][0]["dial"] = "127.0.0.1:18401"
    assert found(lying).pointed("blue g1").colour == GREEN
    _proxy(lying, 1)["upstreams"][0]["dial"] = "10.0.0.9:1"
    traffic = found(lying).pointed("green g1")
    assert (traffic.colour, traffic.dials) == (None, ("10.0.0.9:1",))


@pytest.mark.parametrize("stripped", [False, True])
def test_a_split_and_a_fallback_of_mode_rewrite_are_known_with_their_generation(stripped: bool) -> None:
    strip = without_ids if stripped else lambda node: node
    shared = found(strip(split_arms(HERA, H, STYLE, SPLIT, 7))).traffic
    assert (shared.colour, shared.split, shared.generation) == (None, SPLIT, None if stripped else 7)
    assert shared.dials == ("127.0.0.1:18401", "127.0.0.1:18301")
    back = found(strip(fallback_proxy(HERA, H, STYLE, GREEN, 8))).traffic
    assert (back.colour, back.fallback, back.generation) == (GREEN, True, None if stripped else 8)
    assert traffic_of([found(fallback_proxy(HERA, H, STYLE, GREEN, 8))]).fallback


def test_a_split_that_somebody_edited_is_none() -> None:
    edited = split_arms(HERA, H, STYLE, SPLIT, 7)
    text = json.dumps(edited).replace("0[0123456789ab][0-9a-f]", "[01][0123456789ab][0-9a-f]")
    assert text != json.dumps(edited)
    traffic = found(json.loads(text)).traffic
    assert (traffic.colour, traffic.split) == (None, None)


def test_a_scheme_must_fit_every_arm() -> None:
    tls = {"transport": {"protocol": "http", "tls": {}}}
    refuse_unfit([found(armed(original=H | tls), replace(HERA, scheme="https"))])
    with pytest.raises(AddressInvalid, match="service hera is https, but Caddy speaks http"):
        refuse_unfit([found(armed(), replace(HERA, scheme="https"))])


def test_dynamic_upstreams_in_an_arm_are_refused() -> None:
    edited = armed()
    _proxy(edited, 1)["dynamic_upstreams"] = {"source": "a"}
    with pytest.raises(RouteNotFound, match="dynamic_upstreams"):
        found(edited)


def test_a_route_inside_another_one_is_refused_where_arms_may_come() -> None:
    inner = proxy("127.0.0.1:18301")
    kratos = replace(KRATOS, site="hera.example.org")
    outer = proxy("127.0.0.1:18101", handle_response=[{"routes": [route(inner)]}])
    located = locate(servers_of(outer), [HERA, kratos])
    with pytest.raises(RouteAmbiguous, match=r"the route of hera at .*/handle_response/.* inside the one of kratos at"):
        refuse_nested(located)
    refuse_nested(locate(servers_of(proxy("127.0.0.1:18101"), inner), [HERA, kratos]))


# --- how far it is set up


def _proxy(arms: Json, number: int) -> Json:
    found = [each["handle"][0] for each in arms["routes"] if each["handle"][0]["handler"] == "reverse_proxy"]
    return found[number]


def _dialled(arms: Json) -> None:
    _proxy(arms, 1)["upstreams"][0]["dial"] = "10.0.0.9:1"


def _without_arm(arms: Json) -> None:
    arms["routes"] = [each for each in arms["routes"] if each["handle"][0] is not _proxy(arms, 1)]


def _unguarded(arms: Json) -> None:
    for number in (2, 3):
        del _proxy(arms, number)["health_checks"]


def _with_more(arms: Json) -> None:
    _proxy(arms, 0)["flush_interval"] = 7


def _with_foreign_matcher(arms: Json) -> None:
    arms["routes"].insert(2, {"match": [{"path": ["/x"]}], "handle": [proxy("127.0.0.1:9")]})


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (_dialled, "arm green dials 10.0.0.9:1 instead of 127.0.0.1:18401"),
        (_without_arm, "arm green is missing"),
        (_unguarded, "arm blue-or-green does not turn to the second address where the first one fails"),
        (_with_more, "its arms were edited by somebody"),
        (_with_foreign_matcher, "arm blue is missing"),
    ],
)
def test_what_somebody_edited_in_the_arms_is_named(edit: Callable[[Json], None], fault: str) -> None:
    edited = armed()
    edit(edited)
    assert verdict(edited) == (Armed.OUTDATED, fault)
    del edited["routes"][-1]
    in_file = (Armed.KEPT, "") if edit is _with_more else (Armed.OUTDATED, fault)
    assert verdict(edited) == in_file, "in his own file he may add what he likes"


@pytest.mark.parametrize(
    ("style", "fault"),
    [
        (replace(STYLE, shares=(0.05, 0.5)), "it was armed before the steps of the canary changed: arm blue-50, for"),
        (replace(STYLE, stream_close_delay=60), "it was armed before stream_close_delay changed: an arm has no stream"),
        (replace(STYLE, fallback=False), "it was armed before fallback_to_previous changed"),
        (replace(STYLE, preview="other"), "the preview by header, from blue, dials 127.0.0.1:18301 instead of"),
        (replace(STYLE, preview=None), "it was armed before the preview changed"),
        (replace(STYLE, cookie_domain=None), "it was armed before the domain of the cookie changed: it sets"),
        (
            replace(STYLE, response_header_timeout=3),
            "it was armed before response_header_timeout changed: no arm has a",
        ),
    ],
)
def test_arms_for_other_wishes_are_outdated_and_say_which(style: Style, fault: str) -> None:
    now, said = verdict(armed(), style)
    assert now == Armed.OUTDATED
    assert said.startswith(fault)


def test_whoever_was_live_when_it_was_armed_it_is_armed() -> None:
    assert verdict(armed(live=GREEN)) == verdict(armed(live=BLUE)) == (Armed.OURS, "")


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        (H, "its route dials 127.0.0.1:18301"),
        (split_arms(HERA, H, STYLE, SPLIT, 7), 'its route was written in mode "rewrite", for green-5'),
        (armed(replace(STYLE, pointer=Path("/srv/other/live"))), "its arms follow /srv/other/live, which is not our"),
    ],
    ids=["plain", "rewrite", "another project"],
)
def test_what_does_not_follow_our_file_is_not_armed_and_says_what_it_does(handler: Json, fault: str) -> None:
    now, said = verdict(handler)
    assert now == Armed.BARE
    assert said.startswith(fault)


@pytest.mark.parametrize("broken", ["{", "[]", '{"original": 7}', 7])
def test_a_text_that_somebody_broke_is_as_none(broken: Json) -> None:
    edited = armed()
    edited["routes"][-1]["handle"][0]["bluegreen_arms"] = broken
    assert found(edited).handlers[0].original is None
    assert verdict(edited) == (Armed.KEPT, "")


# --- as lines of a Caddyfile


def caddyfile(stand: ArmedStand, style: Style, *options: str, service: Service | None = None) -> Path:
    lines = "\n".join(f"\t\t{option}" for option in options)
    used = f"import bluegreen_hera {{\n{lines}\n\t}}" if options else "import bluegreen_hera"
    path, arms = stand.directory / "Caddyfile", stand.directory / "arms.caddy"
    arms.write_text(snippet([service or stand.service, replace(KRATOS, name="my-app_2")], style))
    site = f"http://{SITE}:{stand.front} {{\n\tencode gzip\n\t{used}\n}}\n"
    other = f"http://other.example.org:{stand.front} {{\n\timport bluegreen_my-app_2\n}}\n"
    path.write_text(f"import {arms}\n{site}{other}")
    return path


@pytest.fixture
async def stand(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[ArmedStand]:
    async with armed_stand(caddy, short_directory / "bg") as stand:
        yield stand


async def kept(stand: ArmedStand, style: Style, service: Service | None = None) -> tuple[Armed, str]:
    _, servers, _ = await read(stand.caddy.admin, "/config/apps/http/servers")
    (located,) = locate(servers, [service or stand.service])
    (handler,) = located.handlers
    assert handler.original is None
    return judged(service or stand.service, handler, style)


@pytest.mark.real
@pytest.mark.parametrize(
    "options", [(), ("header_up X-Mine yes", "stream_close_delay 1h")], ids=["bare", "with options"]
)
async def test_the_printed_lines_are_arms_and_survive_a_reload(stand: ArmedStand, options: tuple[str, ...]) -> None:
    style = stand.style(shares=(0.05, 0.25), preview="s3cret", fallback=True, cookie_domain="example.org")
    path = caddyfile(stand, style, *options)
    stand.point("green g7\n")
    await stand.caddy.start(path)
    assert await kept(stand, style) == (Armed.KEPT, "")
    for line, place_, colour in [
        ("green g7", "fff", GREEN),
        ("blue-or-green g8", "000", BLUE),
        ("green-5 g9", place(204), GREEN),
        ("green-5 g9", place(205), BLUE),
        ("green-25 g10", place(205), GREEN),
        ("", "000", BLUE),
    ]:
        stand.point(line)
        answer = await stand.ask(Cookie=f"bluegreen={place_}")
        assert (answer.colour, answer.seen.get("X-Mine", "")) == (colour, "yes" if options else "")
    stand.point("green-25 g10\n")
    await stand.caddy.reload(path)
    assert (await stand.ask(Cookie=f"bluegreen={place(205)}")).colour == GREEN, "in the middle of a canary, too"
    drawn = await stand.ask()
    assert [cookie.partition("=")[0] for cookie in drawn.cookies] == ["session", "bluegreen"]
    assert "Domain=example.org" in drawn.cookies[1]
    preview = await stand.ask(Bluegreen_Preview="s3cret", Cookie="bluegreen=fff")
    assert (preview.colour, "Bluegreen-Preview" in preview.seen) == (GREEN, False)


@pytest.mark.real
async def test_a_secret_may_hold_what_a_caddyfile_would_take_for_its_own(stand: ArmedStand) -> None:
    secret = '`a`{$HOME}"{b}#*(x|y)$'
    style = stand.style(preview=secret)
    stand.point("blue g1")
    await stand.caddy.start(caddyfile(stand, style))
    assert await kept(stand, style) == (Armed.KEPT, "")
    assert (await stand.ask(Bluegreen_Preview=secret)).colour == GREEN
    assert (await stand.ask(Bluegreen_Preview="x")).colour == BLUE


async def test_the_printed_lines_are_formatted_as_caddy_formats(tmp_path: Path) -> None:
    path = tmp_path / "Caddyfile"
    path.write_text(snippet([HERA, KRATOS], STYLE))
    ran = await run_command([str(caddy_binary()), "fmt", "--diff", str(path)], timeout=30.0, env=environment())
    assert ran.code == 0, ran.output


@pytest.mark.real
async def test_the_printed_proxies_are_those_that_we_would_write(stand: ArmedStand) -> None:
    style = stand.style(fallback=True, response_header_timeout=5, stream_close_delay=600)
    await stand.caddy.start(caddyfile(stand, style))
    (printed, written) = (
        armed_route(each)
        for each in (
            (await _only(stand)).value,
            pointer_arms(stand.service, {"handler": "reverse_proxy"}, style, BLUE),
        )
    )
    assert printed
    assert written
    assert printed.proxies == written.proxies


@pytest.mark.real
async def test_the_printed_lines_answer_the_nonce(stand: ArmedStand) -> None:
    await stand.caddy.start(caddyfile(stand, stand.style()))
    stand.point("green g7\n")
    (stand.directory / "nonce").write_text("n0nce\n")
    told = await stand.ask(X_Bluegreen_Pointer="n0nce")
    assert (told.status, told.headers["X-Bluegreen-Pointer"]) == (204, "green g7")
    assert (await stand.ask(X_Bluegreen_Pointer="another")).colour == GREEN


@pytest.mark.real
async def test_lines_that_were_printed_for_other_wishes_are_outdated_and_say_which(stand: ArmedStand) -> None:
    await stand.caddy.start(caddyfile(stand, stand.style(shares=(0.05,))))
    now, said = await kept(stand, stand.style(shares=(0.05, 0.1)))
    assert (now, said) == (Armed.OUTDATED, "arm blue-10, for a user at place 000, is missing")
    assert await kept(stand, stand.style(shares=(0.05,), stream_close_delay=5)) == (
        Armed.OUTDATED,
        "an arm has no stream_close_delay",
    )
    moved = replace(stand.service, addresses={**stand.service.addresses, GREEN: ("127.0.0.1:1", "127.0.0.1:2")})
    now, said = judged(moved, await _only(stand), stand.style())
    assert (now, said.startswith("arm green dials ")) == (Armed.OUTDATED, True)


async def _only(stand: ArmedStand) -> Json:
    _, servers, _ = await read(stand.caddy.admin, "/config/apps/http/servers")
    (handler,) = (each for each in handlers(servers) if each.serves(SITE))
    return handler


@pytest.mark.real
async def test_https_is_spoken_by_every_printed_arm(stand: ArmedStand) -> None:
    service = replace(stand.service, scheme="https")
    style = stand.style(fallback=True, response_header_timeout=5)
    await stand.caddy.start(caddyfile(stand, style, service=service))
    assert await kept(stand, style, service) == (Armed.KEPT, "")
    refuse_unfit([Located(service, (await _only(stand),))])


@pytest.mark.real
async def test_a_policy_among_the_options_is_refused_by_caddy_and_not_swallowed(stand: ArmedStand) -> None:
    with pytest.raises(EmbeddedFailed):
        await stand.caddy.start(caddyfile(stand, stand.style(), "lb_policy random"))


def test_without_wishes_the_lines_are_few_and_name_the_file() -> None:
    text = snippet([HERA], Style(pointer=Path("/etc/caddy/bluegreen/live")))
    assert "(bluegreen_hera) {" in text
    assert text.count("reverse_proxy") == 4, "two arms, the last one, and a word in the comment"
    assert "Set-Cookie" not in text
    assert text.count("{file./etc/caddy/bluegreen/live}") == 2


def test_lines_need_a_file_to_follow() -> None:
    with pytest.raises(ValueError, match="need one"):
        snippet([HERA], Style())
    with pytest.raises(ValueError, match="need one"):
        pointer_arms(HERA, deepcopy(H), Style(), BLUE)
