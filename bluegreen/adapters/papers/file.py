"""The files that come with a release, on the daemon's own host."""

import asyncio
from pathlib import Path

from bluegreen.domain.papers import Papers
from bluegreen.domain.plans import Release

LARGEST = 4 * 1024 * 1024
"""Bytes of a file that is read: the changelog of twenty years has less."""


class FilePapers:
    """The ReleasePapers port. `changelog` and `example` are paths in which {release} is filled in, for releases that
    name none themselves; None: there is none then. {release} is a name, without separators."""

    def __init__(self, changelog: str | None = None, example: str | None = None) -> None:
        self._changelog = changelog
        self._example = example

    async def read(self, release: Release) -> Papers:
        return await asyncio.to_thread(self._read, release)

    def _read(self, release: Release) -> Papers:
        changelog = release.changelog or _filled(self._changelog, release)
        example = release.env_example or _filled(self._example, release)
        log, log_problem = _text(changelog)
        variables, variables_problem = _text(example)
        return Papers(log, variables, changelog, example, log_problem, variables_problem)


def _filled(template: str | None, release: Release) -> str:
    return template.replace("{release}", release.version) if template else ""


def _text(path: str) -> tuple[str | None, str]:
    """What a file says, and why it cannot be read."""
    if not path:
        return None, ""
    try:
        return _content(Path(path)).decode("utf-8-sig"), ""
    except UnicodeDecodeError as exc:
        return None, f"{path} is not UTF-8 (byte {exc.start})"
    except OSError as exc:
        return None, f"{path} cannot be read: {exc.strerror}"
    except ValueError as exc:
        return None, f"{path} {exc}"


def _content(file: Path) -> bytes:
    if file.exists() and not file.is_file():  # a pipe would never end, a directory is none
        raise ValueError("is not a regular file")
    with file.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"is larger than {LARGEST} bytes")
    return content
