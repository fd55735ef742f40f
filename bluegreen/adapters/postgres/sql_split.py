"""A script that pg_dump wrote, as its statements."""

import postgast


def split(text: str) -> list[str]:
    """The statements of a script, as they stand in it."""
    return list(postgast.split(text))
