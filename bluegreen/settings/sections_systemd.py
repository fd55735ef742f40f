"""A colour that is a set of systemd units."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from bluegreen.settings.section import Section, Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import FilePath

UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|path|target)")
"""A unit by its whole name. Without a type systemctl would guess it, and with * or ? it would take many."""


def check_unit(value: str) -> str:
    """The name itself, or ValueError with the one to write."""
    if not UNIT.fullmatch(value.replace("{colour}", "colour")):
        raise ValueError(
            f"{quoted(value)} is not a unit: write its whole name with its type, for example "
            '"app@{colour}.service" (service, socket, timer, path, target), no * and no ?'
        )
    return value


UnitName = Annotated[str, AfterValidator(check_unit), Shape("unit", "app@{colour}.service")]


class Systemd(Section):
    """runner = "systemd": the colour is a set of units."""

    units: tuple[UnitName, ...] = Field(
        default=(),
        description="The units, in the order in which they start; they are stopped in the reverse one. {colour} is "
        "filled in. Live-only services are not among them: they name theirs themselves.",
        examples=[["kratos@{colour}.service", "web@{colour}.service"]],
    )
    environment_file: FilePath | None = Field(
        default=None,
        description="Where the release's version (RELEASE), `environment`, variables and images (the part kratos: "
        "KRATOS_IMAGE) are written before the units start, for their EnvironmentFile=; on the colour's host. That of "
        'live-only units has ".live-only" at its end. Both are emptied when the units are stopped. Not set: nothing is '
        "written, the units know by themselves what to run, and are restarted each time.",
        examples=["/var/lib/bluegreen/blue.env"],
    )
    user: bool = Field(default=False, description="true: units of the user's own systemd, as in `systemctl --user`.")
