"""Variables beside compose files: which port they give, and which of them hold the address of a Postgres. Their values
go nowhere: a secret that was never kept cannot be told."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bluegreen.domain.traffic import Colour

LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-?+]([^}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)")
POSTGRES = re.compile(r"postgres(?:ql)?(?:\+[a-z0-9]+)?://|host=\S+.*dbname=")
LARGEST = 256 * 1024
"""Bytes of a file that are read."""


def files_of(directory: Path, colour: Colour | None) -> tuple[Path, ...]:
    """The files with the variables of a colour (None: of nobody), in the order in which later ones win."""
    own = (f".env.{colour}", f"{colour}.env", f".env.{colour}.local") if colour is not None else ()
    names = (".env", *own)
    return tuple(path for name in names if (path := directory / name).is_file())


def variables(files: Iterable[Path]) -> dict[str, str]:
    """NAME=value, later files over earlier ones. For the eyes of this package alone."""
    found: dict[str, str] = {}
    for path in files:
        for line in text_of(path).splitlines():
            match = LINE.fullmatch(line.strip())
            if match is not None:
                found[match[1]] = match[2].strip().strip("'\"")
    return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text of a compose file with its variables put in; one that is not known gives its default, else nothing."""
    return VARIABLE.sub(lambda match: values.get(match[1] or match[3]) or match[2] or "", text)


def leads_to_postgres(value: str) -> bool:
    """Whether a value is the address of a Postgres database."""
    return POSTGRES.search(value) is not None


def text_of(path: Path) -> str:
    """A file's text, up to a size; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode(errors="replace")
    except OSError:
        return ""
