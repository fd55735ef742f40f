"""BLUEGREEN_<SECTION>__<KEY> in the environment, over what the file says.

pydantic-settings leaves names that it does not know alone; here a misspelt one is an error like in the file. Names
without the double underscore are the command line's, unless they are a section's.
"""

import json
import os
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from bluegreen.settings.places import nearest
from bluegreen.settings.section import is_list, is_table, keys, section_in

PREFIX = "BLUEGREEN_"
DELIMITER = "__"


class Environment(EnvSettingsSource):
    """The variables that can be put in their place."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        wrong = {name.lower() for name in misplaced(settings_cls)}
        self.env_vars = {name: value for name, value in self.env_vars.items() if name not in wrong}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or table from JSON; a text that is none goes on as it is, for the key's own check to explain."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def misplaced(model: type[BaseSettings]) -> dict[str, str]:
    """The variables that belong nowhere, each with what to do about it."""
    found = {}
    for name in os.environ:
        if not name.upper().startswith(PREFIX):
            continue
        parts = name[len(PREFIX) :].lower().split(DELIMITER)
        problem = _problem(model, parts) if len(parts) > 1 else None
        if problem is not None:
            found[name] = problem
    return found


def variable(path: tuple[str | int, ...]) -> str | None:
    """Which variable gave a key its value, or the section that lacks it, in words; None if none did."""
    present = {name.upper(): name for name in os.environ}
    for length in range(len(path), 0, -1):
        name = PREFIX + DELIMITER.join(str(part) for part in path[:length]).upper()
        if name in present:
            return f"variable {present[name]}"
    return None


def gives(path: tuple[str | int, ...]) -> bool:
    """Whether a variable gives this very key, or a table or list in which it stands: then it beats the file."""
    present = {name.upper(): value for name, value in os.environ.items()}
    for length in range(len(path), 0, -1):
        value = present.get(PREFIX + DELIMITER.join(str(part) for part in path[:length]).upper())
        if value is not None:
            return length == len(path) or _holds(value, path[length:])
    return False


def _holds(text: str, path: tuple[str | int, ...]) -> bool:
    try:
        value = json.loads(text)
        for part in path:
            value = value[part]
    except (ValueError, LookupError, TypeError):
        return False
    return True


def _problem(model: type[BaseSettings], parts: list[str]) -> str | None:
    known = keys(model)
    if parts[0] not in known:
        meant = nearest(parts[0], known)
        hint = f"; did you mean {PREFIX}{DELIMITER.join([meant, *parts[1:]]).upper()}?" if meant else ""
        return f'there is no section "{parts[0]}"{hint}'
    fields: dict[str, Any] = dict(known)
    for depth, part in enumerate(parts):
        field = fields.get(part)
        if field is None:
            return None  # the section itself refuses it, with the nearest key
        if (is_list(field.annotation) or is_table(field.annotation)) and depth < len(parts) - 1:
            whole = PREFIX + DELIMITER.join(parts[: depth + 1]).upper()
            return f"a variable cannot reach into {parts[depth]}: write it in the file, or all of it as JSON in {whole}"
        section = section_in(field.annotation)
        fields = dict(keys(section)) if section else {}
    return None
