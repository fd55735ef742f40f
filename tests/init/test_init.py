"""`bluegreen init`: what is there becomes a configuration that passes `config check` as it stands, and observes."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen.__main__ import bluegreen
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.traffic import Colour
from bluegreen.init import Wish, as_toml, keep, next_steps, survey
from bluegreen.init.caddy import understand
from bluegreen.init.found import Machine
from bluegreen.settings import load
from tests.init.conftest import Plant, found, loaded

BLUE, GREEN = Colour.BLUE, Colour.GREEN

PLAIN = "http://app.example.org {\n\treverse_proxy 127.0.0.1:8001\n}\n"

COMPOSE = """
services:
  web:
    image: registry.example.org/olympus/web:${VERSION:-1.0.0}
    ports: ["127.0.0.1:${WEB_PORT:-8001}:8080"]
    environment:
      DATABASE_URL: postgres://olympus:s3cret-of-ours@db/olympus
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8080/health/ready"]
  kratos:
    image: oryd/kratos:v1.3.1
    ports:
      - target: 4433
        published: "${KRATOS_PORT:-8002}"
        host_ip: 127.0.0.1
  mail-worker:
    image: olympus/worker:1.0.0
  db:
    image: docker.io/library/postgres:16
    ports: ["5432:5432"]
"""

IN_ONE_PLACE = {
    "srv/olympus/compose.yaml": COMPOSE,
    "srv/olympus/.env.blue": "WEB_PORT=8001\nKRATOS_PORT=8002\n",
    "srv/olympus/.env.green": "WEB_PORT=9301\nKRATOS_PORT=9302\n",
}


# --- Caddy


async def test_a_plain_caddyfile_gives_the_service_its_site_its_live_address_and_a_marked_guess(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    settings_, text = loaded(await found(root, PLAIN), root)
    (service,) = settings_.services
    assert (service.name, service.site, service.blue) == ("app", "app.example.org", ("127.0.0.1:8001",))
    assert service.green == ("127.0.0.1:9001",)
    assert "GUESS, look at it: nothing tells where it listens" in text
    assert settings_.automation == "observe"
    assert settings_.caddy.front_door == "http://127.0.0.1"
    assert settings_.caddy.mode == "pointer"


async def test_two_sites_imports_and_matchers_give_their_services(plant: Plant) -> None:
    caddyfile = """
    (common) {
        encode gzip
    }
    http://app.example.org {
        import common
        handle /api/* {
            reverse_proxy 127.0.0.1:8003
        }
        handle {
            reverse_proxy 127.0.0.1:8001
        }
    }
    http://id.example.org {
        import common
        reverse_proxy 127.0.0.1:8002 {
            health_uri /health/alive
        }
    }
    """
    root = plant({"x/readme": ""})
    settings_, _ = loaded(await found(root, caddyfile), root)
    by_name = {service.name: service for service in settings_.services}
    assert by_name["api"].blue == ("127.0.0.1:8003",)
    assert by_name["app"].blue == ("127.0.0.1:8001",)
    assert by_name["id"].ready.path == "/health/alive"
    assert by_name["id"].site == "id.example.org"
    addresses = [address for each in settings_.services for address in (*each.blue, *each.green)]
    assert len(set(addresses)) == len(addresses)


async def test_tls_sites_are_met_at_their_tls_listener_and_tls_upstreams_spoken_to_so(plant: Plant) -> None:
    caddyfile = """
    app.example.org {
        tls internal
        reverse_proxy https://10.0.0.7:8443 {
            transport http {
                tls_insecure_skip_verify
            }
        }
    }
    """
    root = plant({"x/readme": ""})
    settings_, _ = loaded(await found(root, caddyfile), root)
    assert settings_.caddy.front_door == "https://127.0.0.1"
    assert (settings_.services[0].scheme, settings_.services[0].blue) == ("https", ("10.0.0.7:8443",))


async def test_a_site_on_a_port_of_its_own_is_met_there(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    settings_, _ = loaded(await found(root, ":8088 {\n\treverse_proxy localhost:3000\n}\n"), root)
    assert settings_.caddy.front_door == "http://127.0.0.1:8088"
    assert settings_.services[0].site is None
    assert settings_.services[0].blue == ("localhost:3000",)


async def test_several_upstreams_are_the_places_of_one_colour_unless_their_names_say_otherwise(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    several = "http://a.example.org {\n\treverse_proxy 127.0.0.1:8001 127.0.0.1:8002\n}\n"
    settings_, _ = loaded(await found(root, several), root)
    assert settings_.services[0].blue == ("127.0.0.1:8001", "127.0.0.1:8002")
    assert len(settings_.services[0].green) == 2
    both = "http://a.example.org {\n\treverse_proxy web-green:8080 web-blue:8080\n}\n"
    settings_, text = loaded(await found(root, both), root)
    assert settings_.services[0].addresses == {BLUE: ("web-blue:8080",), GREEN: ("web-green:8080",)}
    assert "Caddy dials both colours: take these out" in " ".join(text.split())


async def test_the_colour_in_a_name_tells_which_one_is_live_and_the_name_of_the_other(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    caddyfile = "http://a.example.org {\n\treverse_proxy web-green:8080\n}\n"
    settings_, text = loaded(await found(root, caddyfile), root)
    assert settings_.services[0].addresses == {BLUE: ("web-blue:8080",), GREEN: ("web-green:8080",)}
    assert settings_.services[0].name == "web"
    assert "# green is live: Caddy dials web-green:8080." in text


async def test_an_upstream_that_is_no_address_is_named_and_left_out(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    caddyfile = PLAIN + "http://b.example.org {\n\treverse_proxy unix//run/app.sock\n}\n"
    settings_, text = loaded(await found(root, caddyfile), root)
    assert len(settings_.services) == 1
    assert "no addresses: unix//run/app.sock" in text


LOGGED = """
http://a.example.org {
    log {
        output file /var/log/caddy/access.log
        format json
    }
    %s
    reverse_proxy 127.0.0.1:8001
}
"""


@pytest.mark.parametrize("tells", [True, False])
async def test_the_access_log_is_switched_on_where_its_lines_say_who_answered(plant: Plant, tells: bool) -> None:
    root = plant({"x/readme": ""})
    line = "log_append upstream {http.reverse_proxy.upstream.hostport}" if tells else ""
    settings_, text = loaded(await found(root, LOGGED % line), root)
    assert settings_.caddy.access_log == (Path("/var/log/caddy/access.log") if tells else None)
    assert ('#access_log = "/var/log/caddy/access.log"' in text) is not tells


async def test_a_real_caddy_is_asked_at_its_socket_and_another_place_is_said_to_be_silent(tmp_path: Path) -> None:
    directory = tmp_path / "caddy"
    (port,) = free_ports(1)
    directory.mkdir()
    (directory / "Caddyfile").write_text(f"http://127.0.0.1:{port} {{\n\treverse_proxy 127.0.0.1:8001\n}}\n")
    caddy = EmbeddedCaddy(directory)
    await caddy.start(directory / "Caddyfile")
    try:
        machine = await survey(Wish(admin=caddy.admin, directory=directory))
        silent = await survey(Wish(admin="http://127.0.0.1:9", directory=directory))
    finally:
        await caddy.stop()
    assert machine.caddy is not None
    (proxied,) = machine.caddy.proxied
    assert (proxied.dials, proxied.front_door) == (("127.0.0.1:8001",), f"http://127.0.0.1:{port}")
    settings_, _ = loaded(machine, tmp_path)
    assert settings_.caddy.admin == caddy.admin
    assert silent.caddy is None
    assert "http://127.0.0.1:9" in silent.looked[0]


# --- compose, units, databases


async def test_a_stack_in_two_colours_gives_the_idle_addresses_runner_and_variables(plant: Plant) -> None:
    root = plant(IN_ONE_PLACE)
    caddyfile = (
        "http://app.example.org {\n\treverse_proxy 127.0.0.1:8001\n}\n"
        "http://id.example.org {\n\treverse_proxy 127.0.0.1:8002\n}\n"
    )
    settings_, text = loaded(await found(root, caddyfile), root)
    web, kratos = settings_.services
    assert (web.name, web.green, web.ready.path) == ("web", ("127.0.0.1:9301",), "/health/ready")
    assert (kratos.name, kratos.green) == ("kratos", ("127.0.0.1:9302",))
    for colour in Colour:
        environment_ = settings_.environments.of(colour)
        assert environment_.runner == "compose"
        assert environment_.directory == root / "srv/olympus"
        assert environment_.compose.files == ("compose.yaml",)
        assert environment_.env_files == (root / f"srv/olympus/.env.{colour}",)
    assert settings_.project == "olympus"
    assert f"from {root}/srv/olympus/compose.yaml: service web" in " ".join(text.replace("#", " ").split())
    assert "GUESS, look at it: nothing tells" not in text


async def test_workers_databases_and_tools_are_proposed_and_no_secret_is_copied(plant: Plant) -> None:
    root = plant(
        {
            **IN_ONE_PLACE,
            "srv/olympus/.env": "REPORTS_DSN='host=db user=r password=hunter2-of-ours dbname=reports'\n",
            "srv/olympus/migrations/0001.expand.sql": "select 1;",
            "srv/olympus/alembic.ini": "[alembic]\n",
        }
    )
    settings_, text = loaded(await found(root, PLAIN), root)
    assert "s3cret-of-ours" not in text
    assert "hunter2" not in text
    flat = " ".join(text.split())
    assert "the variable DATABASE_URL leads to one" in flat
    assert "the variable REPORTS_DSN leads to one" in flat
    assert '#role = "live-only"\n#parts = ["mail-worker"]' in text
    assert '#up = ["kratos", "migrate", "sql", "up", "-e", "--yes"]' in text
    assert f'#up = ["alembic", "-c", "{root}/srv/olympus/alembic.ini", "upgrade", "head"]' in text
    assert f'#directory = "{root}/srv/olympus/migrations"' in text
    assert settings_.databases == ()


async def test_what_is_proposed_passes_too_once_it_is_switched_on(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = plant(
        {
            **IN_ONE_PLACE,
            "srv/olympus/migrations/0001.expand.sql": "select 1;",
            "srv/olympus/alembic.ini": "[alembic]\n",
            "srv/olympus/manage.py": "",
        }
    )
    (tmp_path / "olympus-dsn").write_text("postgresql://a:b@127.0.0.1/olympus")
    (tmp_path / "olympus-dsn").chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    _, text = loaded(await found(root, PLAIN), root)
    switched = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith(("# ", "#admin", "#env_files")) else line
        for line in text.splitlines()
    )
    file = root / "all.toml"
    file.write_text(switched)
    file.chmod(0o640)
    settings_ = load(file)
    assert {migration.name for migration in settings_.migrations} >= {"kratos", "alembic", "django", "olympus"}
    assert [service.name for service in settings_.services if service.role == "live-only"] == ["mail-worker"]


async def test_a_directory_for_each_colour_is_found_and_the_published_port_tells_who_is_live(plant: Plant) -> None:
    web = "services:\n  web:\n    image: app\n    ports: ['%d:80']\n"
    root = plant({"blue/compose.yaml": web % 7001, "green/docker-compose.yml": web % 7002})
    caddyfile = "http://a.example.org {\n\treverse_proxy 127.0.0.1:7002\n}\n"
    settings_, _ = loaded(await found(root, caddyfile), root)
    assert settings_.services[0].addresses == {BLUE: ("127.0.0.1:7001",), GREEN: ("127.0.0.1:7002",)}
    assert settings_.environments.blue.directory == root / "blue"
    assert settings_.environments.green.compose.files == ("docker-compose.yml",)


async def test_stacks_without_a_caddy_still_tell_both_colours(plant: Plant) -> None:
    root = plant(IN_ONE_PLACE)
    settings_, _ = loaded(await found(root), root)
    assert {service.name: service.addresses for service in settings_.services} == {
        "web": {BLUE: ("127.0.0.1:8001",), GREEN: ("127.0.0.1:9301",)},
        "kratos": {BLUE: ("127.0.0.1:8002",), GREEN: ("127.0.0.1:9302",)},
    }


async def test_template_units_with_instances_for_the_colours_are_the_runner(plant: Plant) -> None:
    root = plant(
        {
            "etc/systemd/system/web@.service": "[Service]\nExecStart=/usr/bin/web %i\n",
            "etc/systemd/system/mail-worker@.service": "[Service]\nExecStart=/usr/bin/mail %i\n",
            "etc/systemd/system/getty@.service": "[Service]\nExecStart=/sbin/getty %i\n",
            "etc/systemd/system/multi-user.target.wants/web@blue.service": "",
            "etc/systemd/system/multi-user.target.wants/mail-worker@blue.service": "",
            "etc/systemd/system/getty.target.wants/getty@tty1.service": "",
            "run/system-web.slice/web@green.service": "",
        }
    )
    settings_, text = loaded(await found(root, PLAIN), root)
    assert settings_.environments.blue.runner == "systemd"
    assert settings_.environments.blue.systemd.units == ("web@{colour}.service",)
    assert '#parts = ["mail-worker@{colour}.service"]' in text
    assert "getty" not in text


# --- nothing, and odd things


async def test_where_nothing_is_found_a_skeleton_says_what_was_looked_for(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    machine = await survey(Wish(directory=root, sockets=(), unit_files=(), running=(), admin="http://127.0.0.1:9"))
    settings_, text = loaded(machine, root)
    assert settings_.services[0].name == "web"
    assert text.count("GUESS, look at it: nothing was found that tells what is routed where\n") == 2
    assert "http://127.0.0.1:9" in text
    assert "compose files in" in text


async def test_a_caddy_on_another_machine_is_not_steered_by_files(plant: Plant) -> None:
    root = plant({"x/readme": ""})
    machine = await found(root, PLAIN)
    assert machine.caddy is not None
    away = replace(machine, caddy=replace(machine.caddy, admin="http://10.1.2.3:2019"))
    settings_, _ = loaded(away, root)
    assert (settings_.caddy.mode, settings_.caddy.allow_remote_admin) == ("rewrite", True)


ODD = {
    "no yaml": "services: [",
    "a list": "- 1\n- 2\n",
    "no services": "x: 1\n",
    "services that are none": "services: {web: 3, 4: null, db: []}\n",
    "odd ports": "services: {web: {ports: [null, 3, '99999:1', 'a:b', {published: {}, target: []}, '8001-8003:80']}}\n",
    "odd everything": "services: {'': {image: [1], healthcheck: {test: {}}, environment: 7, profiles: 3}}\n",
    "a date that is none": "services: {web: {image: 0000-00-00}}\n",
    "aliases within aliases": "a: &a [x, x]\nb: &b [*a, *a]\nservices: {web: {ports: [*b], image: *b}}\n",
    "control characters": 'services: {"we\\u0007b": {ports: ["8001:80"], image: "a\\u001b[31m"}}\n',
    "binary": "\x00\x01\x02",
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
async def test_an_odd_compose_file_is_told_or_ignored_and_the_result_still_passes(plant: Plant, content: str) -> None:
    root = plant({"srv/app/compose.yaml": content, "srv/app/.env": "=\nA\nB='\x00'\n"})
    loaded(await found(root, PLAIN), root)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
WORDS = st.sampled_from(
    ["127.0.0.1:8001", "web-blue:80", "green:1", "[::1]:9", "x", "", "a b:1", "é:80", "a:0", '"\n:7']
)


def caddy_json(dials: list[Any], host: Any, path: Any, listen: Any, odd: Any) -> Any:
    """A configuration of Caddy's shape, with anything at all in its places."""
    proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": dial} for dial in dials], "transport": odd}
    route = {
        "match": [{"host": host, "path": path}],
        "handle": [{"handler": "subroute", "routes": [{"handle": [proxy]}]}],
    }
    server = {"listen": listen, "routes": [route, odd], "automatic_https": odd, "logs": odd}
    return {"apps": {"http": {"servers": {"a": server, "b": odd}, "http_port": odd}}, "logging": {"logs": {"x": odd}}}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dials=st.lists(WORDS | JSON, max_size=4),
    host=JSON | st.lists(st.text(max_size=12), max_size=2),
    path=JSON | st.lists(st.text(max_size=12), max_size=2),
    listen=JSON | st.lists(WORDS, max_size=2),
    odd=JSON,
)
def test_whatever_a_caddy_answers_the_result_passes(
    tmp_path_factory: pytest.TempPathFactory, dials: list[Any], host: Any, path: Any, listen: Any, odd: Any
) -> None:
    document = json.loads(json.dumps(caddy_json(dials, host, path, listen, odd)))
    directory = tmp_path_factory.getbasetemp()
    loaded(Machine(caddy=understand("http://127.0.0.1:2019", document)), directory)
    loaded(Machine(caddy=understand("http://127.0.0.1:2019", odd)), directory)


# --- the file


async def test_a_file_that_exists_is_not_written_over_unless_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bluegreen.toml"
    text = (await asyncio.to_thread(_skeleton, tmp_path))[0]
    written = keep(text, file, force=False)
    assert written.file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o640
    file.write_text("mine")
    with pytest.raises(ConfigurationError, match="is not written over") as refused:
        keep(text, file, force=False)
    assert file.read_text() == "mine"
    assert f"bluegreen init --to {file} --force" in refused.value.next
    keep(text, file, force=True)
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["bluegreen.toml"]


def test_what_the_settings_refuse_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "bluegreen.toml"
    with pytest.raises(ConfigurationError):
        keep('project = "x"\n', file, force=False)
    assert list(tmp_path.iterdir()) == []


def test_the_next_commands_name_the_file_where_it_is_no_usual_one() -> None:
    assert next_steps(Path("/etc/bluegreen/bluegreen.toml"))[0] == "bluegreen config check"
    assert next_steps(Path("/tmp/x.toml"))[0] == "bluegreen config check --config /tmp/x.toml"


def test_the_verb_writes_to_stdout_or_to_a_file_and_says_what_to_type_next(tmp_path: Path) -> None:
    def typed(*words: str, caddy: str = "http://127.0.0.1:9") -> Result:
        return CliRunner().invoke(bluegreen, ["init", "--directory", str(tmp_path), "--caddy", caddy, *words])

    shown = typed("--to", "-")
    assert shown.exit_code == 0
    assert 'automation = "observe"' in shown.output
    file = tmp_path / "bluegreen.toml"
    written = typed("--to", str(file))
    assert written.exit_code == 0, written.output
    assert f"bluegreen config check --config {file}" in written.output
    assert json.loads(typed("--to", str(file), "--force", "-o", "json").output)["file"] == str(file)
    wrong = typed("--to", "-", caddy="ftp://x")
    assert wrong.exit_code == 2
    assert "is not an admin endpoint" in wrong.output
    again = typed("--to", str(file))
    assert again.exit_code == 78
    assert "is not written over" in again.output


def _skeleton(directory: Path) -> tuple[str, Path]:
    return as_toml(Machine()), directory
