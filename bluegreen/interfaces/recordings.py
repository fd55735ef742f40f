"""Streams of samples as files: one JSON object a line, read twice, so that memory does not grow with them.

The first time every line is checked and all that is wrong is gathered; the second time they are judged.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any, Self

import msgspec

from bluegreen.app.baseline import Baseline
from bluegreen.app.replay import of_stream
from bluegreen.app.samples import LATEST, About, Sample
from bluegreen.app.survey import Survey
from bluegreen.domain.plans import Terms

SHOWN = 5
"""Lines that are named where something is wrong with them."""

SPOOL = 64 * 1024 * 1024
"""Bytes of what comes through a pipe that are kept in memory; the rest lies in a temporary file meanwhile."""

MARK = b"\xef\xbb\xbf"
"""What some editors write before UTF-8 text."""

Fetch = Callable[[IO[bytes]], object]
"""Writes a recording into a file."""

_decode = msgspec.json.Decoder(Sample, strict=False).decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Faults:
    """Lines that are no samples: how many, and the first of them in words."""

    n: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, number: int, text: str) -> None:
        """Line `number` (from 1) is no sample."""
        self.n += 1
        if len(self.first) < SHOWN:
            self.first.append(f"line {number}: {text}")


class Recording:
    """A file of samples, what comes on standard input (`-`), or with `fetch` what that puts into the file it is given.
    Use as a context manager; OSError where it cannot be read."""

    def __init__(self, name: str, fetch: Fetch | None = None) -> None:
        self.name = name
        self.faults = Faults()
        self.about: dict[str, Any] | None = None
        """What the recording says of itself, once it was checked."""
        self.cut_off = ""
        """Why its end is missing, in words."""
        self._history: list[Any] = []
        self._fetch = fetch
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opening:  # closes what is open already, where the rest fails
            opening.callback(self._stack.close)
            self._file = self._opened()
            opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _opened(self) -> IO[bytes]:
        if self._fetch is not None:
            fetched = self._spool()
            self._fetch(fetched)
            return fetched
        if self.name == "-":
            return self._copy(sys.stdin.buffer)
        file = self._stack.enter_context(open(self.name, "rb"))  # noqa: PTH123, SIM115 - the stack closes it
        return file if file.seekable() else self._copy(file)  # a pipe has a name, too

    def _copy(self, stream: IO[bytes]) -> IO[bytes]:
        copy = self._spool()
        shutil.copyfileobj(stream, copy)
        return copy

    @property
    def file(self) -> IO[bytes]:
        """Its bytes, from the beginning."""
        if self._file is None:
            raise RuntimeError("use `with Recording(...)`")
        self._file.seek(0)
        return self._file

    def checked(self) -> Iterator[Sample]:
        """The samples; what is wrong with lines stands in `faults` afterwards."""
        for number, line in self._lines():
            try:
                sample = _decode(line)
            except (ValueError, RecursionError) as exc:  # msgspec's errors, and bytes that are no text
                self.faults.add(number, _why(exc))
                continue
            wrong = sample.fault()
            if wrong:
                self.faults.add(number, wrong)
                continue
            if sample.about is not None:
                self._hear(sample.about)
            yield sample

    def samples(self) -> Iterator[Sample]:
        """The samples once more, when nothing was wrong with any."""
        for _, line in self._lines():
            yield _decode(line)

    def settle(self, survey: Survey, chosen: Terms | None) -> tuple[Terms, Baseline]:
        """By which terms it is judged, and against what beside its own samples. What it says of itself goes before what
        was found out; `chosen` None: its own terms. Raises ValueError where it says what this program does not know."""
        if self.about is None:
            if chosen is None:
                raise ValueError("this recording says nothing of itself")
            return of_stream(chosen, survey.signals), Baseline()
        told = msgspec.convert(self.about, About)
        if not abs(told.switched_at) <= LATEST:
            raise ValueError(f"it was switched at {told.switched_at:g}, which is no moment")
        survey.instruct(told)
        baseline = Baseline()
        try:
            baseline.restore(self._history, told.switched_at)
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"its history is not of this program's shape: {exc!r}") from exc
        baseline.slow = told.slow
        return chosen or told.terms, baseline

    def _hear(self, about: dict[str, Any]) -> None:
        """Take in what the recording says of itself."""
        if "terms" in about:
            self.about = about
        if "history" in about:
            self._history.append(about["history"])
        self.cut_off = str(about.get("cut_off", self.cut_off))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(self.file, start=1):
            text = line.strip()
            if number == 1:
                text = text.removeprefix(MARK)
            if text:
                yield number, text

    def _spool(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.SpooledTemporaryFile(max_size=SPOOL))


def line_of(sample: Sample) -> bytes:
    """A sample as a line of a file."""
    return _encode(sample) + b"\n"


def _why(exc: Exception) -> str:
    if isinstance(exc, msgspec.ValidationError):
        return str(exc)
    return f"no JSON object ({exc})"
