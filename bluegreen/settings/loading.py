"""Reads the configuration: file, environment and credentials into settings, or everything that is wrong with them."""

import stat
from pathlib import Path
from tomllib import TOMLDecodeError, loads
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings.credentials import confidential
from bluegreen.settings.environment import misplaced, variable
from bluegreen.settings.model import Settings
from bluegreen.settings.places import Places
from bluegreen.settings.problems import Problem, Reading, key_of_table
from bluegreen.settings.values import relative_to

EXAMPLE = "config/bluegreen.example.toml"
OTHERS = stat.S_IROTH


def load(path: Path) -> Settings:
    """The settings in a file, with BLUEGREEN_* variables over it and credentials read.

    Raises ConfigurationError with the facts `file` and `problems` (all of them, each with file, line, key and text).
    """
    text = read_text(path)
    data = parse(text, path)
    places = Places(text)
    problems = [Problem(str(path), None, "", problem, name) for name, problem in misplaced(Settings).items()]
    problems += [_private(key, path, places) for key in [key for key in data if key.startswith("_")] if data.pop(key, True)]
    try:
        with relative_to(path.resolve().parent):
            settings = Settings(**data)
    except ValidationError as exc:
        problems += Reading(Settings, path, places, variable).explain(exc)
        raise failed(path, problems) from exc
    except SettingsError as exc:
        problems.append(Problem(str(path), None, "", "", ""))
        raise failed(path, problems) from exc
    if problems:
        raise failed(path, problems)
    settings._file, settings._warnings = path, tuple(_warnings(settings, path, places))
    return settings
