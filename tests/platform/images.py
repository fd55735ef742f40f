"""Images from scratch: one static busybox, and what it does as process 1. No registry, no base image.

An image is imported from an archive of its files, by docker and podman alike; it has one layer and a command.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

SHELL = "/bin/busybox"

SERVE = (
    "trap 'exit 0' TERM; echo version {version} is served; /bin/busybox httpd -f -h /www -p ${{PORT:-8080}} & wait $!"
)
"""Process 1 gets no signal that it does not ask for: without the trap each stop would take its whole time."""

CRASH = "echo {version} cannot reach its database >&2; exit 3"
WAIT = "trap 'exit 0' TERM; echo {version} works; while :; do /bin/busybox sleep 1 & wait $!; done"
DONE = "echo {version} has migrated"

WORDS: Mapping[str, str] = {
    "web:1.0.0": SERVE,
    "web:1.1.0": SERVE,
    "web:1.1.0-sick": SERVE,
    "web:1.3.0-crash": CRASH,
    "worker:1.0.0": WAIT,
    "job:1.0.0": DONE,
}
"""What each image does."""


def archive(name: str, busybox: Path) -> bytes:
    """The files of an image; one named sick has no /health to answer with."""
    version = name.partition(":")[2]
    said = io.BytesIO()
    with tarfile.open(fileobj=said, mode="w") as tar:
        _add(tar, "bin/busybox", busybox.read_bytes(), 0o755)
        _add(tar, "www/version", json.dumps({"version": version}).encode(), 0o644)
        _add(tar, "www/index.html", b"<p>hello</p>\n", 0o644)
        if not version.endswith("-sick"):
            _add(tar, "www/health", b"ok\n", 0o644)
    return said.getvalue()


def command(name: str) -> str:
    """The command of an image, as a change of `import`."""
    words = WORDS[name].format(version=name.partition(":")[2])
    return f"CMD {json.dumps([SHELL, 'sh', '-c', words])}"


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))
