"""`caddy` and `site` against a real API on a real socket: they show, ask, order, and say what became of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bluegreen.__main__ import bluegreen
from bluegreen.app.requests import Caller, SiteRequest
from bluegreen.app.upkeep_answers import BalancerSetup, CaddyfileLines, SiteChange, SiteShown, SitesShown
from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.errors import RequestRefused, StepFailed
from bluegreen.domain.sites import Left, Site, Tls
from bluegreen.interfaces.api import ROUTES
from bluegreen.interfaces.cli import asking
from bluegreen.interfaces.cli.shell import Shell
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.interfaces.peers import Right
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import ScriptedService
from tests.interfaces.test_cli import invoke, orders

WEB, API = "/config/apps/http/servers/srv0/routes/0/handle/0", "/config/apps/http/servers/srv0/routes/1/handle/0"
BARE = BalancerSetup(
    "pointer", (Arms("web", Armed.BARE, (WEB,)), Arms("api", Armed.KEPT, (API,))), "/etc/caddy/bluegreen/live", None,
)  # fmt: skip
ARMED = replace(BARE, services=(Arms("web", Armed.OURS, (WEB,)), BARE.services[1]), says="green g43")
SITE = SiteShown(Site("shop", "shop.test", "/config/apps/http/servers/srv0/routes/0", ("127.0.0.1:1",), (":443",), Tls.INTERNAL), "web")  # fmt: skip  # noqa: E501


class Armable(ScriptedService):
    """Answers what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.how = BARE
        self.found = SitesShown((SITE,))
        self.written = True

    async def setup(self) -> BalancerSetup:
        return self.how

    def caddyfile_lines(self) -> CaddyfileLines:
        return CaddyfileLines("(bluegreen_web) {\n}\n")

    async def arm(self, caller: Caller, reason: str = "") -> BalancerSetup:
        self._called("arm", caller, reason)
        self.how = ARMED
        return self.how

    async def disarm(self, caller: Caller, reason: str = "") -> BalancerSetup:
        self._called("disarm", caller, reason)
        return BARE

    async def sites(self) -> SitesShown:
        return self.found

    async def add_site(self, request: SiteRequest, caller: Caller) -> SiteChange:
        self._called("add_site", request, caller)
        return SiteChange(SITE, self.written)

    async def remove_site(self, name: str, caller: Caller, reason: str = "", *, force: bool = False) -> SiteChange:
        self._called("remove_site", name, caller, reason, force)
        return SiteChange(SITE, written=True)


@pytest.fixture
def service() -> Armable:
    return Armable()


@pytest.fixture
def armable(served: Served) -> Armable:
    """The service behind `served`."""
    assert isinstance(served.service, Armable)
    return served.service


def test_looking_needs_the_right_to_read_and_changing_that_to_operate() -> None:
    rights = {(route.method, route.path): route.right for route in ROUTES}
    for path in ("/v1/caddy", "/v1/sites"):
        assert rights["GET", path] is Right.READ
    for path in ("/v1/caddy/arm", "/v1/caddy/disarm", "/v1/sites", "/v1/sites/{site}/remove"):
        assert rights["POST", path] is Right.OPERATE
    assert rights["GET", "/v1/caddy/snippet"] is Right.ADMIN, "the secret of the preview stands in the lines"


# --- caddy


def test_it_shows_how_each_service_is_set_up_and_what_to_type(served: Served, armable: Armable) -> None:
    out = invoke(served, "caddy", "show").stdout
    assert "· web is not armed" in out
    assert "✔ api is armed in its file" in out
    assert "✖ there is no file" in out
    assert "next: bluegreen caddy arm" in out
    armable.how = ARMED
    out = invoke(served, "caddy", "show").stdout
    assert "the file says green g43" in out
    assert "! web is armed" in out
    assert "next: bluegreen caddy snippet" in out
    outdated = Arms("web", Armed.OUTDATED, (WEB,), "arm green dials 10.0.0.9:1\x1b[2J")
    armable.how = replace(ARMED, services=(outdated, API_KEPT))
    out = invoke(served, "caddy", "show").stdout
    assert "✖ web is armed for something else" in out
    assert "arm green dials 10.0.0.9:1" in out
    assert "\x1b" not in out
    armable.how = BalancerSetup("rewrite", (Arms("web", Armed.BARE, (WEB,)),))
    assert invoke(served, "caddy", "show").stdout.splitlines()[1] == f"  web  {WEB}"
    assert json.loads(invoke(served, "caddy", "show", "-o", "json").stdout)["mode"] == "rewrite"


API_KEPT = BARE.services[1]


def test_arming_shows_what_is_written_and_asks(
    served: Served, armable: Armable, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = invoke(served, "caddy", "arm")
    assert (off.exit_code, "say -y" in off.stderr) == (2, True)
    assert f"web  {WEB}  (not armed)" in off.stdout
    assert "/etc/caddy/bluegreen/live" in off.stdout
    assert "idle keep-alive connections are closed" in off.stdout
    monkeypatch.setattr(asking, "at_a_terminal", lambda: True)
    no = CliRunner().invoke(bluegreen, ["caddy", "arm"], env={"BLUEGREEN_SOCKET": str(served.path)}, input="n\n")
    assert (no.exit_code, "next: bluegreen caddy arm -y" in no.stderr) == (1, True)
    assert orders(served) == []
    yes = invoke(served, "caddy", "arm", "-y", "--reason", "set  up")
    assert (yes.exit_code, "the file says green g43" in yes.stdout) == (0, True)
    assert orders(served) == [("arm", "set up")]


def test_disarming_says_what_stays_and_what_follows(served: Served, armable: Armable) -> None:
    armable.how = ARMED
    out = invoke(served, "caddy", "disarm", "-y").stdout
    assert f"web  {WEB}" in out
    assert "api is armed in the Caddyfile: take its import out there" in out
    assert "no deployment starts" in out
    assert orders(served) == [("disarm", "")]


def test_where_nothing_is_armed_disarming_says_so(served: Served, armable: Armable) -> None:
    armable.how = replace(BARE, services=BARE.services[:1])
    out = invoke(served, "caddy", "disarm", "-y").stdout
    assert "No service is armed: there is nothing to put back." in out
    assert "To be put back" not in out
    armable.how = replace(ARMED, services=(API_KEPT,))
    out = invoke(served, "caddy", "disarm", "-y").stdout
    assert "api is armed in the Caddyfile: take its import out there" in out
    assert "no deployment starts" not in out, "it is armed still"


def test_a_file_with_a_word_that_is_none_is_told(served: Served, armable: Armable) -> None:
    armable.how = replace(ARMED, says="frog")
    out = invoke(served, "caddy", "show").stdout
    assert '✖ the file says "frog", which is no word of ours' in out
    assert "next: bluegreen status" in out
    for known in ("blue", "green-or-blue g4", "green-2.5 g5"):
        armable.how = replace(ARMED, says=known)
        assert f"the file says {known}" in invoke(served, "caddy", "show").stdout


def test_behind_another_balancer_no_key_of_caddys_is_advised(served: Served, armable: Armable) -> None:
    armable.how = BalancerSetup("traefik", ())
    refused = invoke(served, "caddy", "arm", "-y")
    assert refused.exit_code == 5
    assert "Arms are for Caddy, and the balancer here is traefik." in refused.stderr
    assert "[caddy]" not in refused.stderr


def test_what_cannot_be_proved_ends_with_the_reason_and_a_command(served: Served, armable: Armable) -> None:
    armable.refusal = StepFailed("Caddy does not follow the file. So it was disarmed again", next=("namei -l /x",))
    result = invoke(served, "caddy", "arm", "-y")
    assert result.exit_code == 1
    assert "So it was disarmed again" in result.stderr
    assert "next: namei -l /x" in result.stderr


def test_in_another_mode_the_verbs_say_which_key_is_meant(served: Served, armable: Armable) -> None:
    armable.how = BalancerSetup("rewrite", ())
    for words in (["arm", "-y"], ["disarm", "-y"], ["snippet"]):
        result = invoke(served, "caddy", *words)
        assert result.exit_code == 5
        assert 'set [caddy] mode = "pointer"' in result.stderr
    assert orders(served) == []


def test_the_lines_for_the_caddyfile_are_printed_as_they_are(served: Served) -> None:
    assert invoke(served, "caddy", "snippet").stdout == "(bluegreen_web) {\n}\n"
    assert json.loads(invoke(served, "caddy", "snippet", "-o", "json").stdout) == {"snippet": "(bluegreen_web) {\n}\n"}
    assert "bluegreen_web" not in invoke(served, "caddy", "show", "-o", "json").stdout


def test_without_a_daemon_the_lines_come_from_the_configuration(tmp_path: Path) -> None:
    nobody = {"BLUEGREEN_SOCKET": str(tmp_path / "none.sock")}
    refused = CliRunner().invoke(bluegreen, ["caddy", "snippet"], env=nobody)
    assert (refused.exit_code, "next: bluegreen caddy snippet --offline" in refused.stderr) == (3, True)
    asked = []

    def offline(shell: Shell, file: Path) -> str:
        asked.append(file)
        return "lines\n"

    words = ["caddy", "snippet", "--offline", "--config", "/etc/x.toml"]
    assert CliRunner().invoke(bluegreen, words, obj=Shell(offline_snippet=offline)).stdout == "lines\n"
    assert asked == [Path("/etc/x.toml")]
    assert "belongs to the program" in CliRunner().invoke(bluegreen, words, obj=Shell()).stderr


# --- site


def test_a_site_is_added_after_its_cost_was_said(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["site", "add", "shop", "--host", "shop.test", "--service", "web", "--tls", "internal", "--listen", ":443"]
    off = invoke(served, *words)
    assert (off.exit_code, "one load of Caddy's whole configuration" in off.stdout) == (2, True)
    monkeypatch.setattr(asking, "at_a_terminal", lambda: True)
    no = CliRunner().invoke(bluegreen, words, env={"BLUEGREEN_SOCKET": str(served.path)}, input="n\n")
    assert "bluegreen site add shop --host shop.test --service web --tls internal --listen :443 -y" in no.stderr
    done = invoke(served, *words, "-y")
    assert (done.exit_code, "✔ shop.test is added" in done.stdout) == (0, True)
    assert "put it into the Caddyfile, too" in done.stdout
    assert orders(served) == [("add_site", SiteRequest("shop", "shop.test", "web", listen=":443", tls=Tls.INTERNAL))]


def test_a_site_may_go_to_addresses_instead(served: Served, armable: Armable) -> None:
    armable.written = False
    words = [
        "site",
        "add",
        "s",
        "--host",
        "s.test",
        "--to",
        "127.0.0.1:1",
        "--to",
        "[::1]:2",
        "--scheme",
        "https",
        "-y",
    ]
    done = invoke(served, *words)
    assert "stands there already: nothing was written" in done.stdout
    assert orders(served) == [("add_site", SiteRequest("s", "s.test", "", ("127.0.0.1:1", "[::1]:2"), "https"))]


@pytest.mark.parametrize(
    "words",
    [
        ["--host", "s.test"],
        ["--host", "s.test", "--service", "web", "--to", "127.0.0.1:1"],
        ["--service", "web"],
    ],
)
def test_a_site_needs_a_host_and_one_place_to_go_to(served: Served, words: list[str]) -> None:
    assert invoke(served, "site", "add", "s", "-y", *words).exit_code == 2
    assert orders(served) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"name": "../x", "host": "a.test", "dials": ["127.0.0.1:1"]}, "name"),
        ({"name": "x", "host": "a b", "dials": ["127.0.0.1:1"]}, "host"),
        ({"name": "x", "host": "a" * 300, "dials": ["127.0.0.1:1"]}, "host"),
        ({"name": "x", "host": "a.test", "dials": ["127.0.0.1:notaport"]}, "HOST:PORT"),
        ({"name": "x", "host": "a.test", "dials": ["127.0.0.1:99999"]}, "65535"),
        ({"name": "x", "host": "a.test"}, "service"),
        ({"name": "x", "host": "a.test", "service": "web", "scheme": "https"}, "scheme"),
        ({"name": "x", "host": "a.test", "service": "web", "tls": "none"}, "tls"),
        ({"name": "x", "host": "a.test", "service": "web", "listen": "a b"}, "listen"),
    ],
)
async def test_what_is_no_site_is_refused_with_the_field(served: Served, body: dict[str, object], why: str) -> None:
    async with Client(served.path) as client:
        with pytest.raises(ClientError, match=why) as refused:
            await client.add_site(body)
        assert refused.value.status == 422
    assert orders(served) == []


def test_sites_are_shown_with_what_was_cut_off(served: Served, armable: Armable) -> None:
    out = invoke(served, "site", "show").stdout
    assert "shop  shop.test -> 127.0.0.1:1 (users of web)" in out
    assert "Caddy's own authority" in out
    assert invoke(served, "site", "show", "shop.test").exit_code == 0
    missing = invoke(served, "site", "show", "nobody")
    assert (missing.exit_code, "There is no site nobody." in missing.stdout) == (1, True)
    armable.found = SitesShown((), Left("/state/site-x.before.json", ("to go back: curl x", "to keep what is: rm x")))
    out = invoke(served, "site", "show").stdout
    assert "a change was cut off; Caddy's configuration from before it is /state/site-x.before.json" in out
    assert "or: to keep what is: rm x" in out


def test_a_site_is_removed(served: Served, armable: Armable) -> None:
    assert "✔ shop.test is removed" in invoke(served, "site", "remove", "shop", "-y", "--force").stdout
    assert orders(served) == [("remove_site", "shop", "", True)]
    armable.refusal = RequestRefused("users of web come by it", next=("bluegreen site remove shop --force",))
    refused = invoke(served, "site", "remove", "shop", "-y")
    assert (refused.exit_code, "next: bluegreen site remove shop --force" in refused.stderr) == (5, True)
    assert invoke(served, "site", "remove", "../x", "-y").exit_code == 2
