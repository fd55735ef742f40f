"""Planted secrets: put wherever one can stand, provoked to be printed, and looked for in everything that comes out.

Looked for as they are, and as URLs, Basic headers and JSON write them; in the log, the journal's bytes, the card, the
API, the command line, the receivers' messages, the names of backups, Caddy's configuration, and in the argument lists
and environments of all children.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from bluegreen.demo.children import spawn
from bluegreen.demo.ports import free_ports
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.client import ClientError
from bluegreen.processes import environment
from tests.app.outside import side_by_side
from tests.e2e.cast import caddy_config, deploy, ended, reached
from tests.e2e.conftest import MakeStage

PASSWORD = "dsn+pass/word=Kj81"
SECRETS = {
    "password": PASSWORD,
    "hook-token": "hook-token-Zq72ncr8",
    "chat-path": "T0KEN-in-the-path-9f3k2",
    "colour-secret": "colour-variable-77hhd",
    "migration-secret": "migration-variable-x9x2p",
    "smoke-header": "smoke-header-value-1b5mm",
    "api-key": "literal-api-key-55kkq",
}
SPILL = "import os, sys; print(dict(os.environ), file=sys.stderr)"

EXTRA = """
[hooks]
listen = "{listen}"

[hooks.pager]
kind = "generic"
token = {{ credential = "hook-token" }}

[[notify]]
name = "away"
kind = "webhook"
url = {{ credential = "chat-url" }}

[[notify]]
name = "tape"
kind = "command"
command = [{python}, "-c", "import sys; open('{tape}', 'a').write(sys.stdin.read())"]

[[notify]]
name = "spilling"
kind = "command"
command = [{python}, "-c", "{spill}; sys.exit(1)"]

[[migrations]]
name = "tool"
database = "olympus"
kind = "command"
up = [{python}, "-c", "{spill}; sys.exit(os.path.exists('{broken}'))"]
dsn_env = "DATABASE_URL"
environment = {{ PLAIN = {{ credential = "migration-secret" }}, API_KEY = "literal-api-key-55kkq" }}

[[smoke]]
name = "with-headers"
service = "shop"
http = {{ path = "/version", headers = {{ Authorization = {{ credential = "bearer" }} }} }}
expect = {{ body = "nothing like it, when {broken} is there" }}
retries = 0

[[smoke]]
name = "spilling"
command = [{python}, "-c", "{spill}; print(open('{credentials}/colour-secret').read()); sys.exit(1)"]
retries = 0
"""


class Planted:
    """A stage on which secrets stand everywhere, and what came out of it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.credentials = stage.directory / "credentials"
        self.tape = stage.directory / "tape"
        self.broken = stage.directory / "broken"
        self.listen = f"127.0.0.1:{free_ports(1)[0]}"
        self.outputs: dict[str, str] = {}
        self.children: dict[str, str] = {}

    async def set_up(self) -> None:
        """Write the secrets as credentials, and the configuration that names them."""
        self.credentials.mkdir(mode=0o700)
        away = f"http://127.0.0.1:{free_ports(1)[0]}/services/{SECRETS['chat-path']}"
        files = SECRETS | {"chat-url": away, "bearer": f"Bearer {SECRETS['smoke-header']}"}
        for name, text in files.items():
            (self.credentials / name).write_text(text)
        await self.stage.set_up()
        places = {"listen": self.listen, "tape": self.tape, "broken": self.broken, "credentials": self.credentials}
        extra = EXTRA.format(python=f'"{sys.executable}"', spill=SPILL, **places)
        variables = '\nenvironment = { SETTING = { credential = "colour-secret" } }\n'
        text = self.stage.config.read_text()
        for colour in ("blue", "green"):
            text = text.replace(f"[environments.{colour}]\n", f"[environments.{colour}]{variables}")
        self.stage.config.write_text(text + extra)

    async def start_daemon(self) -> None:
        """Start it with a credentials directory, as systemd does."""
        self.stage.daemon = spawn(self.argv("serve"), env=self.environment, log=self.stage.daemon_log)
        await self.stage._answering(self.stage.daemon)

    def argv(self, *words: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "bluegreen",
            *words,
            *(["--config", str(self.stage.config)] * (words[0] in WIRED)),
        ]

    @property
    def environment(self) -> dict[str, str]:
        more = {"PYTHONPATH": ":".join(sys.path), "CREDENTIALS_DIRECTORY": str(self.credentials)}
        return environment(more | {"UNRELATED_SECRET": "daemons-own-variable-3kd9"})

    async def type(self, *words: str, fails: bool = False) -> str:
        """Type a command; what it printed is kept and returned."""
        argv = self.argv(*words)
        if words[0] not in WIRED:
            argv[3:3] = ["--socket", str(self.stage.socket)]
        child = await asyncio.create_subprocess_exec(
            *argv, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await asyncio.wait_for(child.communicate(), 60)
        self.outputs[f"$ bluegreen {' '.join(words)}"] = printed.decode()
        assert fails or child.returncode == 0, printed.decode()
        return printed.decode()

    async def ask(self, path: str) -> None:
        """Keep what the API answers, with its headers."""
        connector = aiohttp.UnixConnector(str(self.stage.socket))
        async with aiohttp.ClientSession("http://localhost", connector=connector) as client, client.get(path) as answer:
            self.outputs[f"GET {path}"] = f"{answer.headers} {await answer.text()}"

    async def alert(self, token: str, document: object) -> int:
        """Post an alert; keep what is answered."""
        headers, url = {"Authorization": f"Bearer {token}"}, f"http://{self.listen}/v1/hooks/pager"
        async with aiohttp.ClientSession(headers=headers) as client, client.post(url, json=document) as answer:
            self.outputs[f"alert {len(self.outputs)}"] = f"{answer.headers} {await answer.text()}"
            return answer.status

    @asynccontextmanager
    async def watching_children(self) -> AsyncIterator[None]:
        """Note the argument list and the environment of everything that the daemon starts meanwhile."""

        async def look() -> None:
            while True:
                self._look()
                await asyncio.sleep(0.005)

        async with side_by_side(("look-at-children", look())):
            yield

    def _look(self) -> None:
        daemon = self.stage.daemon.pid if self.stage.daemon else 0
        try:
            children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
            for pid in children:
                argv = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if (
                    argv and "bluegreen serve" not in argv
                ):  # it is still the daemon's copy, before it becomes another program
                    self.outputs[f"argv of {pid} {argv[:60]}"] = argv
                    variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
                    self.children[f"environ of {pid} {argv[:300]}"] = variables
        except OSError:
            pass  # it has ended

    def read_files(self) -> None:
        """Keep the bytes of everything that was written."""
        state = self.stage.directory / "state"
        written = [*state.rglob("*"), *self.stage.snippets.rglob("*"), self.stage.daemon_log, self.tape]
        backups = list((self.stage.directory / "backups").rglob("*"))
        written += [path for path in backups if path.suffix != ".dump"]
        self.outputs |= {str(path): path.read_bytes().decode(errors="replace") for path in written if path.is_file()}
        self.outputs["names of backups"] = "\n".join(map(str, backups))


WIRED = ("serve", "config", "doctor")


def shapes(secret: str) -> set[str]:
    """How a secret may look."""
    encoded = {
        base64.b64encode(text.encode()).decode().rstrip("=") for text in (secret, f":{secret}", f"Bearer {secret}")
    }
    return {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1], *encoded}


def found(texts: dict[str, str], secrets: dict[str, str]) -> list[str]:
    """Where a secret stands that should not."""
    return [
        f"{name} in {where}: ...{text[max(0, text.find(shape) - 80) : text.find(shape) + 80]}..."
        for where, text in texts.items()
        for name, secret in secrets.items()
        for shape in shapes(secret)
        if shape in text
    ]


@pytest.fixture
async def planted(make_stage: MakeStage, database: str) -> Planted:
    with_password = database.replace("postgres@", f"postgres:{quote(PASSWORD, safe='')}@")
    assert with_password != database
    spill = f'"{sys.executable}", "-c", "{SPILL}; os.execv(sys.argv[1], sys.argv[1:])", '
    planted = Planted(make_stage(dsn=with_password, pace=Pace(window="60s", auto="false"), up_prefix=spill))
    await planted.set_up()
    return planted


async def test_no_output_shows_a_secret(planted: Planted) -> None:
    stage = planted.stage
    planted.broken.touch()
    await planted.start_daemon()
    secrets = SECRETS | {"unrelated": "daemons-own-variable-3kd9"}
    async with planted.watching_children():
        assert await planted.alert("wrong", {}) == 401
        first = await deploy(stage, "1.1.0")
        assert (await ended(stage, first)).phase in ("ABANDONED", "STRANDED")  # the tool fails, and prints what it has
        planted.broken.unlink()
        second = await deploy(stage, "1.1.0")
        assert (await ended(stage, second)).phase == "ABANDONED"  # the smoke checks fail, and print what they have
        _without_the_failing_smoke(stage)
        await stage.stop_daemon()
        await planted.start_daemon()
        third = await deploy(stage, "1.1.0")
        await reached(stage, third, "AWAITING")
        await planted.type("promote", "--reason", f"the password is {PASSWORD}")
        await reached(stage, third, "WATCHING")
        told = {"summary": f"token={SECRETS['hook-token']} of {stage.dsn}", "labels": {"note": PASSWORD}}
        at = datetime.now(UTC).isoformat()
        assert await planted.alert(SECRETS["hook-token"], told | {"id": SECRETS["api-key"], "startsAt": at}) == 202
        assert (await ended(stage, third)).phase == "REVERTED"
        await _look_everywhere(planted, (first, second, third))
    await stage.stop_daemon()
    planted.read_files()
    assert len(planted.outputs) > 30
    assert any("pg_dump" in where for where in planted.children)
    assert "deployment" in planted.tape.read_text()
    leaks = found(planted.outputs, secrets)
    assert leaks == [], "\n".join(leaks)
    astray = _astray(planted)
    assert astray == [], "\n".join(astray)


async def test_a_connection_string_that_fails_is_not_shown(planted: Planted) -> None:
    stage = planted.stage
    await planted.start_daemon()
    await stage.stop_daemon()
    text = stage.config.read_text()
    wrong = stage.dsn.replace("127.0.0.1", "127.0.0.2").replace("/test_", "/no_such_")
    stage.config.write_text(text.replace(stage.dsn, wrong))
    await planted.start_daemon()
    async with stage.client as client:
        with pytest.raises(ClientError):
            await client._ask("POST", "/v1/plans", dict, json={"release": PASSWORD})
    try:
        await ended(stage, await deploy(stage, "1.1.0"))
    except ClientError as exc:
        planted.outputs["refusal"] = f"{exc} {exc.next}"
    await planted.type("status")
    await planted.type("migrate", "status", fails=True)
    await planted.type("doctor", fails=True)
    for broken in (f"postgresql://u:{quote(PASSWORD, safe='')}@h:port/db", f"host=db password={PASSWORD}"):
        stage.config.write_text(text.replace(stage.dsn, broken))
        await planted.type("config", "check", fails=True)
        await planted.type("config", "show", fails=True)
    await stage.stop_daemon()
    planted.read_files()
    leaks = found(planted.outputs, SECRETS)
    assert leaks == [], "\n".join(leaks)


async def _look_everywhere(planted: Planted, ids: tuple[str, ...]) -> None:
    for path in ("status", "deployments", "config", "audit?limit=100", "backups", "migrations", "openapi.json"):
        await planted.ask(f"/v1/{path}")
    await planted.ask("/metrics")
    await planted.ask("/readyz")
    for id in ids:
        await planted.ask(f"/v1/deployments/{id}")
        await planted.ask(f"/v1/deployments/{id}/logs")
        await planted.ask(f"/v1/deployments/{id}/explain")
        await planted.type("logs", id)
        await planted.type("show", id)
    await planted.ask("/v1/environments/green/logs")
    for words in (["status"], ["status", "-o", "json"], ["history"], ["audit"], ["plan", "1.1.0"], ["backup", "list"]):
        await planted.type(*words, fails=True)
    await planted.type("config", "show")
    await planted.type("config", "check")
    await planted.type("doctor", fails=True)
    await planted.type("notify", "test", "away", fails=True)
    await planted.type("notify", "test", "spilling", fails=True)
    await planted.type("hook", "test", "pager", fails=True)
    await planted.type("env", "smoke", "green", fails=True)
    planted.outputs["Caddy"] = json.dumps(await caddy_config(planted.stage))


def _without_the_failing_smoke(stage: Stage) -> None:
    text = stage.config.read_text()
    kept = text.partition('\n[[smoke]]\nname = "with-headers"')[0]
    stage.config.write_text(kept)


def _astray(planted: Planted) -> list[str]:
    """Secrets in the environment of a child that was not given them by the configuration."""
    theirs = {
        "DATABASE_URL": {"password"},
        "PLAIN": {"migration-secret"},
        "API_KEY": {"api-key"},
        "SETTING": {"colour-secret"},
    }
    return [
        f"{name} as {variable.partition('=')[0]} in {where}"
        for where, variables in planted.children.items()
        for variable in variables.split("\0")
        for name, secret in (SECRETS | {"unrelated": "daemons-own-variable-3kd9"}).items()
        if any(shape in variable for shape in shapes(secret))
        and name not in theirs.get(variable.partition("=")[0], set())
    ]
