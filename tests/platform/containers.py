"""Engines of containers for tests: podman and docker, each with storage, sockets and a network of its own.

What runs in them has a network namespace to itself, so that nothing of the machine's firewall is touched and published
ports are on that namespace's loopback. All of it is gone afterwards. The facts are those of a Debian 12 without systemd
as PID 1: crun fails there, podman needs limits that we may set, and its storage works without overlays (vfs).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.adapters.runners.compose import ComposeRunner
from bluegreen.adapters.runners.compose_call import Place
from bluegreen.adapters.runners.compose_stack import Project
from bluegreen.demo.children import dying_with_us
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here
from bluegreen.processes import Ran, environment
from tests.platform import images, parts

STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{directory}/root"
runroot = "{directory}/run"
"""

CONTAINERS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{directory}/networks"
"""

STACK = """\
x-health: &health
  test: ["CMD", "/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health"]
  interval: 500ms
  timeout: 5s
  retries: 4
  start_period: 1s
services:
  web:
    image: ${WEB_IMAGE:-nobody-named-it:0}
    depends_on:
      kratos: {condition: service_healthy}
    healthcheck: *health
    environment: ["GREETING=${GREETING:-none}", "RELEASE=${RELEASE:-none}"]
    ports: ["127.0.0.1:${WEB_PORT}:8080"]
  kratos:
    image: ${KRATOS_IMAGE:-nobody-named-it:0}
    healthcheck: *health
  worker:
    image: ${WORKER_IMAGE:-nobody-named-it:0}
    depends_on: [kratos]
"""

ASK = "import json, sys, urllib.request as r; print(json.load(r.urlopen(sys.argv[1], timeout=5))['version'])"

COMMAND = 60.0


class Inside(Here):
    """This machine in another network namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    async def run(self, argv: Sequence[str], **more: Any) -> Ran:
        """As Here, in the namespace."""
        return await super().run([*entering(self.namespace), *argv], **more)


def entering(namespace: str) -> tuple[str, ...]:
    """What goes before a command that is to run in a namespace."""
    return ("nsenter", f"--net=/run/netns/{namespace}")


@dataclass(frozen=True)
class Containers:
    """A running engine. `prefix` goes before the names of images that were made here."""

    name: str
    directory: Path
    namespace: str
    tool: tuple[str, ...]
    engine: tuple[str, ...]
    variables: Mapping[str, str]
    prefix: str

    def run(self, *words: str, stdin: bytes = b"", check: bool = True) -> str:
        """What the engine's command prints."""
        ran = subprocess.run(
            [*entering(self.namespace), *self.engine, *words],
            input=stdin,
            capture_output=True,
            env=environment(self.variables),
            timeout=COMMAND,
        )
        assert ran.returncode == 0 or not check, f"{words}: {ran.stdout.decode()} {ran.stderr.decode()}"
        return ran.stdout.decode()

    def image(self, name: str) -> str:
        """The reference of an image."""
        return f"{self.prefix}{name}"

    def release(self, version: str, web: str = "", kratos: str = "", **variables: str) -> Release:
        """A release of the stack: all of its images are of that version, unless others are named."""
        web, kratos = web or f"web:{version}", kratos or f"web:{version}"
        named = {"web": self.image(web), "kratos": self.image(kratos), "worker": self.image("worker:1.0.0")}
        return Release(version, variables, images=named)

    def ids(self, project: str) -> dict[str, str]:
        """The containers of a project that run, by their service."""
        form = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        if self.name == "podman":
            form = '{{index .Labels "com.docker.compose.service"}} {{.ID}}'
        words = ("ps", "--filter", f"label=com.docker.compose.project={project}", "--format", form)
        return dict(sorted(line.split() for line in self.run(*words).splitlines()))

    def left(self, project: str) -> list[str]:
        """All that is there of a project: containers by name, and networks."""
        found = self.run(
            "ps", "-a", "--filter", f"label=com.docker.compose.project={project}", "--format", "{{.Names}}"
        )
        nets = self.run(
            "network", "ls", "--filter", f"label=com.docker.compose.project={project}", "--format", "{{.Name}}"
        )
        return [*found.split(), *nets.split()]

    def served(self, port: int) -> str:
        """The version that a published port tells on the namespace's loopback; empty where nobody answers."""
        url = f"http://127.0.0.1:{port}/version"
        argv = [*entering(self.namespace), sys.executable, "-I", "-S", "-c", ASK, url]
        return subprocess.run(argv, capture_output=True, timeout=COMMAND).stdout.decode().strip()


@dataclass(frozen=True)
class Yard:
    """A directory with compose files and a file of variables for each colour, on an engine."""

    containers: Containers
    directory: Path

    def port(self, colour: Colour) -> int:
        """The published port of a colour."""
        return 18080 if colour is Colour.BLUE else 18081

    def project(self, colour: Colour) -> str:
        """The name of a colour's project, this yard's own."""
        return f"{self.directory.name.lower().replace('_', '-')[-20:].strip('-')}-{colour}"

    def runner(self, colour: Colour = Colour.GREEN, **more: Any) -> ComposeRunner:
        """A colour's runner."""
        host = more.pop("host", None) or Inside(self.containers.namespace)
        env = self.directory / f".env.{colour}"
        env.write_text(f"# {colour}\nWEB_PORT={self.port(colour)}\nGREETING='hello, {colour} $HOME'\n")
        project = Project(
            self.project(colour),
            files=more.pop("files", ("compose.yaml",)),
            env_files=(env,),
            live_only=more.pop("live_only", ("worker",)),
            written=self.directory / "written",
        )
        place = Place(colour, host, self.directory, self.containers.variables)
        settings: dict[str, Any] = {"tool": self.containers.tool, "pull": "never", "stop_timeout": 5.0}
        settings |= {"timeout": 90.0, "settles": 0.3} | more
        return ComposeRunner(place, project, **settings)

    def clear(self) -> None:
        """Remove all that is left of both colours."""
        for colour in Colour:
            project = f"label=com.docker.compose.project={self.project(colour)}"
            if ids := self.containers.run("ps", "-a", "-q", "--filter", project).split():
                self.containers.run("rm", "-f", "-v", *ids, check=False)
            if nets := self.containers.run("network", "ls", "-q", "--filter", project).split():
                self.containers.run("network", "rm", *nets, check=False)


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """A network namespace of our own, its loopback up."""
    where = str(parts.ip())
    subprocess.run([where, "netns", "add", name], check=True, timeout=COMMAND)
    try:
        subprocess.run([where, "-n", name, "link", "set", "lo", "up"], check=True, timeout=COMMAND)
        yield name
    finally:
        subprocess.run([where, "netns", "del", name], check=False, timeout=COMMAND)


def _with_images(containers: Containers) -> Containers:
    busybox = parts.busybox()
    for name in images.WORDS:
        change = images.command(name)
        containers.run("import", "--change", change, "-", containers.image(name), stdin=images.archive(name, busybox))
    return containers


@contextmanager
def podman() -> Iterator[Containers]:
    """podman with podman-compose; no daemon."""
    engine, tool = parts.podman(), parts.podman_compose()
    directory = Path(tempfile.mkdtemp(prefix="bluegreen-podman-"))
    try:
        (directory / "storage.conf").write_text(STORAGE.format(directory=directory))
        (directory / "containers.conf").write_text(CONTAINERS.format(directory=directory))
        variables = {
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
            "XDG_RUNTIME_DIR": str(directory),
        }
        with namespace(f"bg-podman-{os.getpid()}") as net:
            made = Containers("podman", directory, net, (str(tool),), (str(engine),), variables, "localhost/")
            try:
                yield _with_images(made)
            finally:
                made.run("rm", "-a", "-f", "-t", "0", check=False)
                made.run("network", "prune", "-f", check=False)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def docker() -> Iterator[Containers]:
    """A docker engine with docker compose."""
    program, client = parts.dockerd(), parts.docker()
    parts.docker_compose()
    directory = Path(tempfile.mkdtemp(prefix="bluegreen-docker-"))
    socket = f"unix://{directory}/docker.sock"
    with namespace(f"bg-docker-{os.getpid()}") as net, (directory / "log").open("wb") as log:
        argv = [*entering(net), str(program), "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec"]
        argv += ["-H", socket, "--pidfile", f"{directory}/pid", "--storage-driver", "vfs"]
        daemon = subprocess.Popen(
            [*dying_with_us(signal.SIGTERM), *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        variables = {"DOCKER_HOST": socket, "DOCKER_CONFIG": str(directory)}
        made = Containers("docker", directory, net, (str(client), "compose"), (str(client),), variables, "")
        try:
            _await_docker(made, daemon)
            yield _with_images(made)
        finally:
            if ids := made.run("ps", "-a", "-q", check=False).split():
                made.run("rm", "-f", *ids, check=False)
            daemon.terminate()
            try:
                daemon.wait(20.0)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait(20.0)
            shutil.rmtree(directory, ignore_errors=True)


def _await_docker(containers: Containers, daemon: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + COMMAND
    while not containers.run("version", "--format", "{{.Server.Version}}", check=False).strip():
        if daemon.poll() is not None or time.monotonic() > deadline:
            words = (containers.directory / "log").read_text(errors="replace")[-500:]
            parts.missing("a docker engine", f"dockerd did not come up: {words}")
        time.sleep(0.05)
