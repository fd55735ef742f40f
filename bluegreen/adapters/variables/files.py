"""The variables in the `.env` files of a colour, on the machine it runs on.

A value is read, turned into its fingerprint, and forgotten: no error, no log and no answer holds any of it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.variables.fingerprints import Fingerprints, key_in
from bluegreen.domain.env_text import EnvText, EnvUnreadable, read_env
from bluegreen.domain.errors import VariablesUnreadable
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import Rules
from bluegreen.domain.variables import Prints
from bluegreen.hosts import FileUnreadable, Host, HostUnreachable

LARGEST = 1024 * 1024
"""Bytes of a file of variables."""

MOST, LONGEST = 2000, 200
"""Variables in one file, and characters of a name: beyond them it is no file of variables."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of a colour lie, later ones over earlier ones. `optional`: nobody named them, and where they are
    not there, nothing is configured."""

    host: Host
    files: tuple[Path, ...]
    optional: bool = False


class FileVariables:
    """The Variables port on files. `key_file` is made when it is needed first; `timeout`: seconds for the files of one
    colour."""

    def __init__(self, places: Mapping[Colour, Place], rules: Rules, key_file: Path, *, timeout: float = 15.0) -> None:
        self._places, self._rules, self._key_file, self._timeout = places, rules, key_file, timeout

    @property
    def rules(self) -> Rules:
        """As configured."""
        return self._rules

    async def of(self, colour: Colour, release: Release | None = None) -> Prints | None:
        """Read the files of a colour now."""
        place = self._places.get(colour)
        if place is None or not place.files:
            return None
        try:
            texts = await self._read(colour, place)
        except VariablesUnreadable as exc:
            if place.optional and isinstance(exc.__cause__, FileNotFoundError):
                return None
            raise
        over = dict(release.variables) if release is not None else {}
        return await asyncio.to_thread(self._printed, texts, over)

    async def example(self, text: str) -> Prints:
        """An example that was read elsewhere."""
        return await asyncio.to_thread(self._of_example, text)

    async def _read(self, colour: Colour, place: Place) -> list[tuple[str, bytes]]:
        try:
            async with asyncio.timeout(self._timeout):
                return [(_called(file, place.host), await self._file(file, place.host)) for file in place.files]
        except TimeoutError as exc:
            files = ", ".join(_called(file, place.host) for file in place.files)
            raise VariablesUnreadable(
                f"the variables of {colour} ({files}) could not be read in {self._timeout:g} s",
                next=(f"bluegreen config docs environments.{colour}.env_files",),
            ) from exc

    async def _file(self, file: Path, host: Host) -> bytes:
        try:
            return await host.read(file, limit=LARGEST)
        except FileNotFoundError as exc:
            raise VariablesUnreadable(f"{_called(file, host)} does not exist", next=(f"ls -l {file.parent}",)) from exc
        except (FileUnreadable, HostUnreachable) as exc:
            detail = exc.detail if str(file) in exc.detail else f"{_called(file, host)}: {exc.detail}"
            raise VariablesUnreadable(detail, next=exc.next or (f"ls -l {file}",)) from exc

    def _printed(self, texts: Sequence[tuple[str, bytes]], over: Mapping[str, str]) -> Prints:
        values: dict[str, str] = {}
        for name, data in texts:
            values |= _parsed(name, data).values
        taken = Fingerprints(key_in(self._key_file))
        return {name: taken.of(value) for name, value in (values | dict(over)).items()}

    def _of_example(self, text: str) -> Prints:
        found = _parsed("the example", text.encode("utf-8", "surrogateescape"))
        taken = Fingerprints(key_in(self._key_file))
        values = dict.fromkeys(found.bare, "") | dict(found.values)
        return {name: taken.of(value) for name, value in values.items()}


def _parsed(name: str, data: bytes) -> EnvText:
    """The variables of a file. The cause is cut off: a decoding error holds what it could not decode."""
    try:
        found = read_env(data.decode())
    except UnicodeDecodeError as exc:
        problem = f"byte {exc.start} is not UTF-8"
    except EnvUnreadable as exc:
        problem = str(exc)
    else:
        if len(found.names) <= MOST and max(map(len, found.names), default=0) <= LONGEST:
            return found
        problem = f"it has more than {MOST} variables, or a name of more than {LONGEST} characters"
    raise VariablesUnreadable(f"{name}: {problem}", next=("bluegreen env check",))


def _called(file: Path, host: Host) -> str:
    return f"{file} on {host.name}" if host.name else str(file)
