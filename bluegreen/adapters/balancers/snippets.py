"""The files from which a restarted Caddy learns the colour: one line, `to <dial> <dial> ...`, per service.

The operator imports each inside the service's own `reverse_proxy` block (`import
/etc/caddy/bluegreen/kratos.caddy`), so that a restart or reload comes up on the colour that we last proved. A
missing file makes Caddy's next start fail (pinned in test_caddy_facts.py): it is created at set-up, and here
only ever replaced as a whole (temp + fsync + rename + fsync of the directory). Where there is no file, none
is kept.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bluegreen.adapters.balancers.addresses import colour_of
from bluegreen.domain.errors import BalancerError
from bluegreen.domain.traffic import Colour, Service


class Snippets:
    """The snippet files of some services. Blocking calls: for a worker thread, or for files of one line."""

    def __init__(self, directory: Path | None, services: Sequence[Service]) -> None:
        self._directory, self._services = directory, services

    def read(self) -> Colour | None:
        """The colour that all existing files name; None without files. Raises BalancerError."""
        found = {path: _colour_in(self._text(path), path, service) for service, path in self._existing()}
        if len(set(found.values())) > 1:
            said = ", ".join(f"{path} {colour}" for path, colour in found.items())
            raise self._failed(f"the snippet files name different colours: {said}")
        return next(iter(found.values()), None)

    def write(self, colour: Colour) -> None:
        """Bring every existing file to a colour, also where one of them fails. Raises BalancerError."""
        failed: list[OSError] = []
        for service, path in self._existing():
            try:
                _ensure(path.resolve(), line(service, colour).encode())
            except OSError as exc:
                failed.append(exc)
        if failed:
            raise self._failed(
                f"the snippets were not all brought to {colour}, so a restarted Caddy would send users "
                f"elsewhere: {'; '.join(map(str, failed))}"
            ) from failed[0]

    def _text(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as exc:
            raise self._failed(f"the snippet {path} cannot be read: {exc}") from exc

    def _existing(self) -> list[tuple[Service, Path]]:
        if self._directory is None:
            return []
        paths = [(service, self._directory / f"{service.name}.caddy") for service in self._services]
        try:
            return [(service, path) for service, path in paths if path.is_file()]
        except OSError as exc:
            raise self._failed(f"the snippets cannot be looked for: {exc}") from exc

    def _failed(self, why: str) -> BalancerError:
        return BalancerError(why, next=(f"ls -l {self._directory}",), directory=str(self._directory))


def line(service: Service, colour: Colour) -> str:
    """The one line of a service's snippet; in a Caddyfile `to https://` is what turns on the transport's TLS."""
    prefix = "https://" if service.scheme == "https" else ""
    return f"to {' '.join(prefix + address for address in service.addresses[colour])}\n"


def _colour_in(text: bytes, path: Path, service: Service) -> Colour:
    lines = [each for each in text.decode(errors="replace").splitlines() if not each.lstrip().startswith("#")]
    dials = [word.partition("://")[2] or word for each in lines for word in each.split() if word != "to"]
    colour = colour_of(service, dials)
    if colour is None:
        raise BalancerError(
            f"the snippet {path} names {' '.join(dials) or 'nothing'}, which is neither colour of "
            f"{service.name}; "
            f"for blue it reads: {line(service, Colour.BLUE).strip()}",
            next=(f"cat {path}",),
        )
    return colour


def _ensure(path: Path, text: bytes) -> None:
    if path.read_bytes() != text:
        _replace(path, text)


def _replace(path: Path, text: bytes) -> None:
    """Replace a file as a whole, with its mode and, where we may, its owner.

    Half-written files of a crash, or of a call that hangs, are taken away first: a call that comes back to
    life then fails at its rename instead of bringing back what it wanted long ago.
    """
    old = path.stat()
    for left in path.parent.glob(f".{path.name}.*.partial"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            _take_over(file.fileno(), old)
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync(path.parent)


def _take_over(handle: int, old: os.stat_result) -> None:
    with suppress(PermissionError):  # only root gives files away; the mode below is what lets Caddy read it
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, old.st_mode & 0o777)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
