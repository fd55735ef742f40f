"""The edge between people's configuration and the program: everything is checked here, once, and told in one go.

Inside, values are seconds, bytes, fractions and absolute paths; in the file they carry units. A key's description is
the manual (`bluegreen config docs`), and nothing that is secret leaves this package unless asked for by name.
"""

from bluegreen.settings.credentials import Secret, revealed
from bluegreen.settings.loading import load
from bluegreen.settings.manual import Entry, documentation, documented, json_schema, masked
from bluegreen.settings.model import Settings
from bluegreen.settings.releases import read_release

__all__ = [
    "Entry",
    "Secret",
    "Settings",
    "documentation",
    "documented",
    "json_schema",
    "load",
    "masked",
    "read_release",
    "revealed",
]
