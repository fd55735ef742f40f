"""Values as they may stand in a message to people."""

LONGEST = 60


def quoted(value: object) -> str:
    """Short, in quotes where it is text, without control characters; lists and tables are named, not shown."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return f'"{printable(value)}"'
    return "a list" if isinstance(value, list | tuple) else "a table"


def printable(text: str) -> str:
    """Text that cannot move the cursor of a terminal, at most LONGEST characters of it."""
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."


def written(value: object) -> str:
    """A value as it is written in a TOML file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {written(item)}" for key, item in value.items()) + " }" if value else "{}"
    return str(value)
