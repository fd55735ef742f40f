"""The file that is written: never over another one without being told to, and only what the settings take."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import load

MODE = 0o640
"""The daemon's group may read it; a secret may come to stand in it."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where it was written, and the warnings of the configuration."""

    file: Path
    warnings: tuple[str, ...]


def keep(text: str, file: Path, *, force: bool) -> Written:
    """Write it, once the settings took it. Raises ConfigurationError, and then nothing was written."""
    if not force and file.exists():
        raise ConfigurationError(
            f"{file} exists, and is not written over",
            next=(f"bluegreen init --to {file} --force", "bluegreen init --to -"),
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".toml", dir=file.parent)
    except OSError as exc:
        raise _unwritable(file, exc) from exc
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(MODE)
        warnings = load(draft).warnings
        _put(draft, file, force=force)
    except OSError as exc:
        raise _unwritable(file, exc) from exc
    finally:
        draft.unlink(missing_ok=True)
    return Written(file, warnings)


def next_steps(file: Path | None) -> tuple[str, ...]:
    """What to type after it was written to `file`; None: to stdout."""
    if file is None:
        return ("bluegreen init --to /etc/bluegreen/bluegreen.toml",)
    option = "" if file == Path("/etc/bluegreen/bluegreen.toml") else f" --config {file}"
    return (
        f"bluegreen config check{option}",
        f"bluegreen doctor{option}",
        f"bluegreen serve{option}",
        "bluegreen plan RELEASE",
    )


def _put(draft: Path, file: Path, *, force: bool) -> None:
    """Into its place in one step. A file that somebody made meanwhile stays."""
    if force:
        draft.replace(file)
    else:
        os.link(draft, file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unwritable(file: Path, exc: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{file} cannot be written: {exc.strerror or exc}", next=("bluegreen init --to -", f"ls -ld {file.parent}")
    )
