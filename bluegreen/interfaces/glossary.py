"""What codes mean and what to do: error codes, causes, pages, exit codes, verdicts, ways back. Needs no daemon."""

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.interfaces.glossary_codes import ERRORS, EXITS
from bluegreen.interfaces.glossary_ends import CAUSES, PAGES, VERDICTS, WAYS_BACK
from bluegreen.interfaces.text import commands, paragraph, strong

KINDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "error": ERRORS,
    "cause": CAUSES,
    "page": PAGES,
    "exit code": EXITS,
    "verdict": VERDICTS,
    "way back": WAYS_BACK,
}
"""Each code with what it means and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A code: `meanings` are (what it is, what it means, what to do), since some are more than one thing."""

    code: str
    meanings: tuple[tuple[str, str, str], ...]

    def document(self) -> dict[str, object]:
        """For programs."""
        keys = ("kind", "meaning", "todo")
        return {"code": self.code, "meanings": [dict(zip(keys, meaning, strict=True)) for meaning in self.meanings]}


def find(code: str) -> Entry | None:
    """What a code means; None where it is none."""
    wanted = code.strip().lower()
    meanings = tuple((kind, *known[wanted]) for kind, known in KINDS.items() if wanted in known)
    return Entry(wanted, meanings) if meanings else None


def entry_lines(entry: Entry) -> list[str]:
    """A code with its meanings, for people."""
    lines = [strong(entry.code)]
    for kind, meaning, todo in entry.meanings:
        lines += [paragraph(kind, meaning), paragraph("", todo)]
    return lines + commands(("bluegreen status",))
