"""The parts of the platform that tests need, and what happens where one is missing.

A test that cannot have its part skips and says why. Where BLUEGREEN_PLATFORM is `all`, as in CI, it fails instead:
nothing that CI installs may be skipped there.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

BEYOND_PATH = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", str(Path(sys.executable).parent))
"""Where programs are that a PATH of ours may lack: root's, and those of our own virtual environment."""

PLUGINS = (
    Path("/usr/lib/docker/cli-plugins/docker-compose"),
    Path("/usr/libexec/docker/cli-plugins/docker-compose"),
    Path("/usr/local/lib/docker/cli-plugins/docker-compose"),
    Path("/usr/local/libexec/docker/cli-plugins/docker-compose"),
    Path("~/.docker/cli-plugins/docker-compose").expanduser(),
)
"""Where docker looks for compose."""


def missing(what: str, why_not: str) -> NoReturn:
    """Skip, or fail under BLUEGREEN_PLATFORM=all: `what` is not here, and `why_not` says why, or what to install."""
    words = f"{what} is not here: {why_not}"
    if os.environ.get("BLUEGREEN_PLATFORM") == "all":
        pytest.fail(words)
    pytest.skip(words)


def need(what: str, why_not: str) -> None:
    """Go on where `why_not` is empty; otherwise skip or fail, as `missing` does."""
    if why_not:
        missing(what, why_not)


def found(program: str) -> Path | None:
    """Where a program is; None where it is not."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *BEYOND_PATH))
    where = shutil.which(program, path=path)
    return Path(where) if where else None


def program(name: str, package: str = "") -> Path:
    """A program that the test needs; `package` is what Debian calls the package that has it."""
    where = found(name)
    if where is None:
        missing(name, f"apt-get install {package or name}")
    return where


def root() -> None:
    """The test needs to be root."""
    need("root", "" if os.geteuid() == 0 else "containers, machines and networks of our own need it")


def podman() -> Path:
    """podman, with what runs its containers and makes its networks."""
    root()
    program("runc")
    if not Path("/usr/lib/podman/netavark").exists() and found("netavark") is None:
        missing("netavark", "apt-get install netavark")
    return program("podman")


def podman_compose() -> Path:
    """podman-compose as the lock has it; Debian's own is too old."""
    where = found("podman-compose")
    if where is None:
        missing("podman-compose", "pip install podman-compose")
    return where


def busybox() -> Path:
    """A busybox that needs no library, from which images are made."""
    return program("busybox", "busybox-static")


def dockerd() -> Path:
    """The docker engine's daemon."""
    root()
    program("runc")
    return program("dockerd", "docker.io")


def docker() -> Path:
    """Debian's docker client before any other: it is of the engine's version."""
    debian = Path("/usr/bin/docker")
    return debian if debian.exists() else program("docker", "docker.io")


@cache
def compose_plugin() -> str:
    """The version of docker's compose plugin; "" without one."""
    if not any(file.exists() for file in PLUGINS) or not found("docker"):
        return ""
    ran = subprocess.run([docker(), "compose", "version", "--short"], capture_output=True, text=True, timeout=30.0)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def docker_compose() -> str:
    """The version of docker compose, which has to be a second one (v2 or later)."""
    need("docker compose", "" if compose_plugin() else f"put Debian's docker-compose (2.26 or later) at {PLUGINS[0]}")
    return compose_plugin()


def sshd() -> Path:
    """An ssh server; it wants to be started by its whole path."""
    program("ssh", "openssh-client")
    return program("sshd", "openssh-server")


def ip() -> Path:
    """What makes network namespaces and links; also whether we may."""
    root()
    where = program("ip", "iproute2")
    may = subprocess.run([where, "netns", "list"], capture_output=True, text=True, timeout=30.0)
    need("network namespaces", may.stderr.strip() if may.returncode else "")
    return where


def nft() -> Path:
    """What cuts links."""
    return program("nft", "nftables")


def mmdebstrap() -> Path:
    """What makes the directory of a machine."""
    root()
    program("systemd-nspawn", "systemd-container")
    return program("mmdebstrap")
