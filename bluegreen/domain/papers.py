"""What comes with a release for people to read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Papers:
    """Texts as they are written: the changelog (Markdown), and the example of the variables (`.env.example`). None
    where none is named (`..._file` is "" then), or where it cannot be read: `..._problem` says why, in words."""

    changelog: str | None = None
    example: str | None = None
    changelog_file: str = ""
    example_file: str = ""
    changelog_problem: str = ""
    example_problem: str = ""
