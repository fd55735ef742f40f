"""Handlers found by structure, in configurations as operators have them, and what is said where that is not clear."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bluegreen.adapters.balancers.caddy_change import change_to
from bluegreen.adapters.balancers.caddy_routes import handlers
from bluegreen.adapters.balancers.caddy_services import locate, refuse_unfit, traffic_of
from bluegreen.adapters.balancers.stamps import generation_in, stamp
from bluegreen.domain.errors import AddressInvalid, RouteAmbiguous, RouteNotFound
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.balancers.sites import (
    HERA,
    KRATOS,
    SERVICES,
    Json,
    olympus,
    paths_that_differ,
    proxy,
    route,
    server,
    subroute,
)

BLUE, GREEN = Colour.BLUE, Colour.GREEN
OURS = proxy("127.0.0.1:18301")
ROOT = "/config/apps/http/servers"
ANYWHERE = replace(HERA, site=None)


def servers_of(*routes: Json, **keys: Json) -> Json:
    return {"srv0": server(*routes, **keys)}


def places(servers: Json, *services: Service) -> list[str]:
    return [handler.place for located in locate(servers, services) for handler in located.handlers]


# --- where a handler may stand


def test_a_handler_in_nested_subroutes_is_found_under_the_sites_of_its_routes() -> None:
    nested = route(subroute(route(subroute(route(OURS)))), host="hera.example.org")
    found = [f"{ROOT}/srv0/routes/1/handle/0/routes/0/handle/0/routes/0/handle/0"]
    assert places(servers_of(route(proxy("127.0.0.1:9")), nested), HERA) == found


def test_an_inner_route_narrows_what_an_outer_one_lets_in() -> None:
    wide = route(subroute(route(OURS, host="www.example.org")), host=["hera.example.org", "www.example.org"])
    with pytest.raises(RouteNotFound, match=r"reached by hera\.example\.org"):
        places(servers_of(wide), HERA)
    assert len(places(servers_of(wide), replace(HERA, site="www.example.org"))) == 1


@pytest.mark.parametrize(
    ("pattern", "reached"),
    [
        ("hera.example.org", True),
        ("HERA.example.org", True),
        ("*.example.org", True),
        ("*.org", False),
        ("*.*.org", True),
        ("example.org", False),
        ("{env.SITE}", True),
        ([], True),
        (["www.example.org", "*.example.org"], True),
    ],
    ids=str,
)
def test_a_site_is_matched_as_caddy_matches_hosts(pattern: str | list[str], reached: bool) -> None:
    servers = servers_of(route(OURS, host=pattern))
    assert [handler.serves("hera.example.org") for handler in handlers(servers)] == [reached]


def test_one_matcher_set_without_hosts_lets_every_site_in() -> None:
    either = {"match": [{"host": ["www.example.org"]}, {"path": ["/api/*"]}], "handle": [OURS]}
    assert len(places(servers_of(either), HERA)) == 1


def test_matcher_sets_that_each_name_hosts_are_alternatives() -> None:
    either = {"match": [{"host": ["www.example.org"]}, {"host": ["hera.example.org"]}], "handle": [OURS]}
    assert len(places(servers_of(either), HERA)) == 1
    with pytest.raises(RouteNotFound):
        places(servers_of(either), replace(HERA, site="id.example.org"))


def test_a_named_route_is_reached_by_the_sites_of_all_that_invoke_it() -> None:
    invoke = {"handler": "invoke", "name": "app"}
    servers = servers_of(
        route(invoke, host="www.example.org"), route(invoke, host="hera.example.org"), named_routes={"app": route(OURS)}
    )
    assert places(servers, HERA) == [f"{ROOT}/srv0/named_routes/app/handle/0"]
    assert places(servers, replace(HERA, site="www.example.org")) == [f"{ROOT}/srv0/named_routes/app/handle/0"]


def test_a_named_route_that_nobody_invokes_serves_nobody() -> None:
    with pytest.raises(RouteNotFound, match="no reverse_proxy handler at all"):
        places(servers_of(named_routes={"app": route(OURS)}), HERA)


def test_named_routes_that_invoke_each_other_end() -> None:
    ping, pong = ({"handler": "invoke", "name": name} for name in ("ping", "pong"))
    servers = servers_of(route(ping), named_routes={"ping": route(pong, OURS), "pong": route(ping)})
    assert len(places(servers, HERA)) == 1


def test_handlers_in_error_routes_and_answers_of_other_handlers_are_found() -> None:
    errors = {"routes": [route(OURS)]}
    assert places(servers_of(errors=errors), HERA) == [f"{ROOT}/srv0/errors/routes/0/handle/0"]
    auth = proxy("127.0.0.1:9", handle_response=[{"routes": [route(OURS)]}])
    found = [f"{ROOT}/srv0/routes/0/handle/0/handle_response/0/routes/0/handle/0"]
    assert places(servers_of(route(auth)), HERA) == found


@pytest.mark.parametrize("servers", [None, {}, {"srv0": None}, {"srv0": {"routes": None}}, {"srv0": {"routes": [7]}}])
def test_a_configuration_without_routes_is_no_route_found(servers: Json) -> None:
    with pytest.raises(RouteNotFound, match="no reverse_proxy handler at all"):
        locate(servers, [HERA])


# --- whose a handler is


@pytest.mark.parametrize("dial", ["127.0.0.1:18301", "localhost:18301", "tcp/127.0.0.1:18301", "tcp/localhost:18301"])
def test_an_address_is_known_in_every_spelling(dial: str) -> None:
    (located,) = locate(servers_of(route(proxy(dial))), [HERA])
    assert (located.traffic.colour, located.traffic.dials) == (BLUE, (dial,))


def test_dials_that_are_not_ours_are_found_by_our_id_and_have_no_colour() -> None:
    foreign = proxy()
    foreign["upstreams"] = [{"@id": stamp("hera", 1, 6), "dial": "127.0.0.1:9"}]
    (located,) = locate(servers_of(route(foreign, host="hera.example.org")), [HERA])
    assert (located.traffic.colour, located.traffic.generation) == (None, 6)


def test_upstreams_of_different_stamps_have_no_generation_in_common() -> None:
    mixed = proxy()
    mixed["upstreams"] = [{"@id": stamp("kratos", 1, 6), "dial": "127.0.0.1:18201"}, {"dial": "127.0.0.1:18202"}]
    (located,) = locate(servers_of(route(mixed)), [KRATOS])
    assert (located.traffic.colour, located.traffic.generation) == (GREEN, None)


def test_an_id_is_ours_only_in_full() -> None:
    assert generation_in("a", stamp("a", 12, 43)) == 43
    assert stamp("a", 12, 43) == "bluegreen-a-12-g43"
    for other in (stamp("a-1", 2, 5), stamp("b", 1, 5), "bluegreen-a-1-g5-old", "mine", 7, None):
        assert generation_in("a", other) is None
    assert generation_in("a.b", "bluegreen-axb-1-g5") is None


def test_a_handler_that_also_dials_something_foreign_is_not_ours() -> None:
    with pytest.raises(RouteNotFound, match=r"dialling 127\.0\.0\.1:18301, 127\.0\.0\.1:9\."):
        locate(servers_of(route(proxy("127.0.0.1:18301", "127.0.0.1:9"))), [HERA])


# --- what is said


def test_a_route_not_found_names_what_is_there_and_what_to_correct() -> None:
    servers = servers_of(route(proxy("127.0.0.1:9"), host="hera.example.org"), route(OURS, host="www.example.org"))
    with pytest.raises(RouteNotFound) as caught:
        locate(servers, [HERA])
    assert f"{ROOT}/srv0/routes/0/handle/0 dialling 127.0.0.1:9" in caught.value.detail
    assert "routes/1" not in caught.value.detail
    assert 'Correct `site` or the addresses under [[services]] name = "hera"' in caught.value.detail
    assert "blue 127.0.0.1:18301; green 127.0.0.1:18401" in caught.value.detail
    assert caught.value.facts["paths"] == (f"{ROOT}/srv0/routes/0/handle/0",)


def test_of_very_many_handlers_only_some_are_listed() -> None:
    servers = servers_of(*(route(proxy(f"127.0.0.1:{port}")) for port in range(1000, 1100)))
    with pytest.raises(RouteNotFound, match="and 88 more"):
        locate(servers, [HERA])


def test_two_handlers_that_fit_are_listed_with_their_paths() -> None:
    servers = servers_of(route(OURS, host="hera.example.org"), route(OURS))
    with pytest.raises(RouteAmbiguous, match="every_route = true") as caught:
        locate(servers, [HERA])
    assert caught.value.facts["paths"] == (f"{ROOT}/srv0/routes/0/handle/0", f"{ROOT}/srv0/routes/1/handle/0")


def test_the_site_tells_two_handlers_with_the_same_dials_apart() -> None:
    servers = servers_of(route(OURS, host="www.example.org"), route(OURS, host="hera.example.org"))
    assert places(servers, HERA) == [f"{ROOT}/srv0/routes/1/handle/0"]
    with pytest.raises(RouteAmbiguous):
        places(servers, ANYWHERE)


def test_a_handler_that_two_services_claim_is_named_with_both() -> None:
    swapped = proxy()
    swapped["upstreams"] = [{"@id": stamp("kratos", 1, 6), "dial": "127.0.0.1:18301"}]
    with pytest.raises(RouteAmbiguous, match="serves both kratos and hera"):
        locate(servers_of(route(swapped)), [replace(KRATOS, site=None), ANYWHERE])


def test_dynamic_upstreams_are_refused() -> None:
    dynamic = OURS | {"dynamic_upstreams": {"source": "a", "name": "app", "port": "80"}}
    with pytest.raises(RouteNotFound, match="takes its upstreams from dynamic_upstreams"):
        locate(servers_of(route(dynamic)), [HERA])
    with pytest.raises(RouteNotFound, match="dialling dynamic upstreams"):
        locate(servers_of(route({**dynamic, "upstreams": []})), [HERA])


@pytest.mark.parametrize(
    ("scheme", "transport", "speaks"),
    [
        ("http", None, None),
        ("http", {"protocol": "http"}, None),
        ("https", {"protocol": "http", "tls": {}}, None),
        ("http", {"protocol": "http", "tls": {}}, "https"),
        ("https", {"protocol": "http"}, "http"),
        ("https", None, "http"),
        ("http", {"protocol": "fastcgi"}, "fastcgi"),
    ],
)
def test_a_scheme_must_fit_the_handlers_transport(scheme: str, transport: Json, speaks: str | None) -> None:
    handler = OURS | ({"transport": transport} if transport else {})
    located = locate(servers_of(route(handler)), [replace(HERA, scheme=scheme)])
    if speaks is None:
        refuse_unfit(located)
        return
    with pytest.raises(AddressInvalid, match=f"service hera is {scheme}, but Caddy speaks {speaks}"):
        refuse_unfit(located)


# --- the change


def test_a_single_service_is_changed_at_its_own_list_of_upstreams() -> None:
    servers = olympus()["apps"]["http"]["servers"]
    change = change_to(GREEN, 7, locate(servers, [HERA]), servers)
    assert change is not None
    assert change.path == ("apps", "http", "servers", "srv0", "routes", 2, "handle", 0, "upstreams")
    assert change.value == [{"@id": "bluegreen-hera-1-g7", "dial": "127.0.0.1:18401"}]


def test_several_services_are_changed_where_all_of_them_are_and_nothing_else_with_them() -> None:
    servers = olympus()["apps"]["http"]["servers"]
    change = change_to(GREEN, 7, locate(servers, SERVICES), servers)
    assert change is not None
    assert change.path == ("apps", "http", "servers", "srv0", "routes")
    assert list(paths_that_differ(servers["srv0"]["routes"], change.value)) == [
        "/1/handle/0/routes/1/handle/0/upstreams",
        "/2/handle/0/upstreams/0",
    ]
    assert servers == olympus()["apps"]["http"]["servers"]


def test_services_on_different_servers_are_changed_in_one_value_too() -> None:
    kratos = server(route(proxy(*KRATOS.addresses[BLUE])))
    servers = {"a": server(route(OURS)), "b": kratos, "c": server(route(proxy("127.0.0.1:9")))}
    change = change_to(GREEN, 7, locate(servers, SERVICES), servers)
    assert change is not None
    assert change.path == ("apps", "http", "servers")
    after = locate(change.value, SERVICES)
    assert (traffic_of(after).colour, traffic_of(after).generation) == (GREEN, 7)


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "a b", "100%"])
def test_a_server_whose_name_is_no_segment_of_a_url_is_changed_from_above(name: str) -> None:
    servers = {name: server(route(OURS))}
    change = change_to(GREEN, 7, locate(servers, [HERA]), servers)
    assert change is not None
    assert change.path == ("apps", "http", "servers")


def test_every_route_of_a_service_moves_and_every_id_is_its_own() -> None:
    servers = servers_of(route(proxy(*KRATOS.addresses[BLUE])), route(proxy(*KRATOS.addresses[BLUE])))
    every = replace(KRATOS, site=None, every_route=True)
    change = change_to(GREEN, 7, locate(servers, [every]), servers)
    assert change is not None
    ids = [each["@id"] for handler in handlers({"srv0": {"routes": change.value}}) for each in handler.upstreams]
    assert ids == [f"bluegreen-kratos-{number}-g7" for number in (1, 2, 3, 4)]


def test_routes_of_a_service_on_different_colours_have_none() -> None:
    servers = servers_of(route(proxy(*KRATOS.addresses[BLUE])), route(proxy(*KRATOS.addresses[GREEN])))
    (located,) = locate(servers, [replace(KRATOS, site=None, every_route=True)])
    assert located.traffic.colour is None
    assert len(located.traffic.paths) == 2


def test_keys_that_all_upstreams_share_are_kept_and_others_left_out() -> None:
    handler = proxy()
    handler["upstreams"] = [
        {"dial": "127.0.0.1:18201", "@id": "the-operators", "max_requests": 9, "weight": 1},
        {"dial": "127.0.0.1:18202", "max_requests": 9, "weight": 2},
    ]
    servers = servers_of(route(handler))
    with capture_logs() as logged:
        change = change_to(BLUE, 7, locate(servers, [KRATOS]), servers)
    assert change is not None
    assert change.value == [{"@id": "bluegreen-kratos-1-g7", "dial": "127.0.0.1:18101", "max_requests": 9}]
    assert [(each["event"], each["keys"]) for each in logged] == [("balancer.upstream_keys_dropped", ["weight"])]


def test_what_is_so_already_is_no_change() -> None:
    servers = olympus()["apps"]["http"]["servers"]
    change = change_to(GREEN, 7, locate(servers, SERVICES), servers)
    assert change is not None
    servers["srv0"]["routes"] = change.value
    assert change_to(GREEN, 7, locate(servers, SERVICES), servers) is None
    assert change_to(GREEN, 8, locate(servers, SERVICES), servers) is not None
