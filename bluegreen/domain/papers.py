"""What comes with a release for people to read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Papers:
    """Texts as they are written: the changelog (Markdown), and the example of the variables (`.env.example`). None
    where none is named."""

    changelog: str | None = None
    example: str | None = None
