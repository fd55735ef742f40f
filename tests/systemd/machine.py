"""A machine of its own with a real systemd as PID 1: a Debian in a directory, booted by systemd-nspawn.

The directory and the wheels are made once and kept under the temporary directory, named after what they were made of.
A booted machine writes into an overlay in memory, has no network but its own loopback, and is gone when it is stopped.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from packaging.utils import canonicalize_name

from bluegreen.demo.children import dying_with_us
from tests.distributions import closure

ROOT = Path(__file__).parent.parent.parent
LOCK = ROOT / "requirements.lock"

PACKAGES = (
    "adduser",
    "dbus",
    "openssh-server",
    "polkitd",
    "procps",
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
)
"""What the machine has beside Debian's essential packages: a small server, and what the README says to install."""

NEEDED = ("mmdebstrap", "systemd-nspawn", "nsenter", "systemd-analyze")

ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "HOME=/root",
    "PIP_NO_INDEX=1",
    "PIP_FIND_LINKS=/wheels",
    "PIP_DISABLE_PIP_VERSION_CHECK=1",
    "PIP_ROOT_USER_ACTION=ignore",
)
"""A root shell's, in which pip finds in /wheels what it would find in the net."""

BUILD = 400.0
"""Seconds for making the directory: 100 MB from a mirror."""

BOOT = 60.0
COMMAND = 60.0


class NoMachine(Exception):
    """There can be no such machine here."""


class Failed(AssertionError):
    """A command in the machine ended otherwise than it should."""


class Machine:
    """A booted machine; `run` runs commands in it, as root unless told otherwise."""

    def __init__(self, name: str, rootfs: Path, directory: Path) -> None:
        self.name, self._rootfs, self._directory = name, rootfs, directory
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def boot(self, mounts: Mapping[Path, str], writable: Mapping[Path, str]) -> None:
        """Boot with host paths to be seen at paths inside; returns when all its units are up."""
        argv = ["systemd-nspawn", "-q", "-D", str(self._rootfs), "-M", self.name, "--register=no", "--keep-unit"]
        argv += ["--private-network", "--console=pipe", "--link-journal=no", "--volatile=overlay"]
        argv += [f"--bind-ro={host}:{inside}" for host, inside in mounts.items()]
        argv += [f"--bind={host}:{inside}" for host, inside in writable.items()]
        with (self._directory / "console").open("wb") as console:
            self._nspawn = subprocess.Popen(
                [*dying_with_us(signal.SIGTERM), *argv, "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.eventually(self._is_up, "the machine boots", BOOT)

    def _is_up(self) -> bool:
        if self._nspawn is None or self._nspawn.poll() is not None:
            raise NoMachine(f"systemd-nspawn ended: {self.console()}")
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        self._leader = int(children[0]) if children else 0
        return bool(self._leader) and self.run("systemctl", "is-system-running", check=False).strip() == "running"

    @property
    def leader(self) -> int:
        """The process on this host that is PID 1 in there."""
        return self._leader

    def console(self) -> str:
        """The last words of its console."""
        return (self._directory / "console").read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """Switch it off; harmless when it is."""
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None and self._leader:
            self.run("systemctl", "poweroff", check=False)
        try:
            self._nspawn.wait(15.0)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()  # PID 1 inside dies with it, and everything with PID 1
            self._nspawn.wait(15.0)

    def run(self, *argv: str, user: str = "", stdin: str = "", check: bool = True, timeout: float = COMMAND) -> str:
        """What a command printed; Failed where it ends otherwise than with 0 and `check` is on."""
        code, said = self.tried(*argv, user=user, stdin=stdin, timeout=timeout)
        if check and code != 0:
            _, told = self.tried("journalctl", "--lines=15", "--no-hostname", "--unit=bluegreen*")
            raise Failed(f"{' '.join(argv)} ended with {code}: {said}\n{told}")
        return said

    def tried(self, *argv: str, user: str = "", stdin: str = "", timeout: float = COMMAND) -> tuple[int, str]:
        """The exit code of a command, and what it printed."""
        enter = ["nsenter", "--target", str(self._leader), "--all", "env", "--ignore-environment"]
        become = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            [*enter, "--chdir=/root/bluegreen", *ENVIRONMENT, *become, *argv],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        return done.returncode, done.stdout

    def sh(self, script: str, timeout: float = COMMAND) -> str:
        """Type lines into a root shell; the first that fails ends it."""
        return self.run("bash", "-euo", "pipefail", "-s", stdin=script, timeout=timeout)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file."""
        self.run("install", "-D", "-m", f"{mode:o}", "/dev/stdin", path, stdin=text)

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def eventually(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Return when it is so; Failed when it is not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"not within {seconds:g} s: {what}")
            time.sleep(0.1)


# --- what is made once


@contextmanager
def kept(kind: str, made_of: str) -> Iterator[Path]:
    """A directory that is kept from run to run, held while the block lasts; empty where it must be made (anew).

    The block makes it and calls `finished` on it.
    """
    base = Path(tempfile.gettempdir()) / "bluegreen-machine"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.geteuid():
        raise NoMachine(f"{base} belongs to somebody else")
    place = base / f"{kind}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    with (base / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_finished(place):
            shutil.rmtree(place, ignore_errors=True)
        yield place


def is_finished(place: Path) -> bool:
    """Whether a kept directory is complete."""
    return place.with_suffix(".done").exists() and place.exists()


def finished(place: Path) -> None:
    """It is complete."""
    place.with_suffix(".done").touch()


def rootfs() -> Path:
    """A Debian 12 with PACKAGES. NoMachine where it cannot be made."""
    if os.geteuid() != 0:
        raise NoMachine("only root can boot a machine")
    if missing := [program for program in NEEDED if shutil.which(program) is None]:
        raise NoMachine(f"not installed: {', '.join(missing)} (apt-get install mmdebstrap systemd-container)")
    with kept("debian", " ".join(PACKAGES)) as place:
        if not is_finished(place):
            _must(["mmdebstrap", "--variant=apt", f"--include={','.join(PACKAGES)}", "bookworm", str(place)], BUILD)
            finished(place)
    return place


def wheels() -> Path:
    """The wheels of what is deployed, of the versions in the lock. NoMachine where they cannot be had."""
    wanted = "".join(_locked())
    with kept("wheels", wanted) as place:
        if not is_finished(place):
            place.mkdir()
            (place / "requirements.txt").write_text(wanted)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            pip += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version=3.11"]
            _must([*pip, "--requirement", str(place / "requirements.txt"), "--dest", str(place)], BUILD)
            finished(place)
    return place


def _must(argv: list[str], seconds: float) -> None:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds)
    if done.returncode != 0:
        raise NoMachine(f"{' '.join(argv[:4])} ended with {done.returncode}: {done.stdout[-2000:]}")


def _locked() -> list[str]:
    """The lock's entries for what is deployed, and for what builds it."""
    deployed = closure([*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"], "hatchling"])
    entries = re.split(r"^(?=[a-z0-9])", LOCK.read_text(), flags=re.MULTILINE)
    return [entry for entry in entries if canonicalize_name(entry.partition("==")[0].strip()) in deployed]
