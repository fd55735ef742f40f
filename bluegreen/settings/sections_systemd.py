"""A colour that is a set of systemd units."""

from pydantic import Field

from bluegreen.settings.section import Section
from bluegreen.settings.values import FilePath


class Systemd(Section):
    """runner = "systemd": the colour is a set of units."""

    units: tuple[str, ...] = Field(
        default=(),
        description="The units, in the order in which they start; they are stopped in the reverse one. {colour} is "
        "filled in. Live-only services are not among them: they name theirs themselves.",
        examples=[["kratos@{colour}.service", "web@{colour}.service"]],
    )
    environment_file: FilePath | None = Field(
        default=None,
        description="Where the release's version (RELEASE), variables and images are written before the units start, "
        "for their EnvironmentFile=; on the colour's host. Not set: nothing is written, and the units know by "
        "themselves what to run.",
        examples=["/run/bluegreen/blue.env"],
    )
    user: bool = Field(default=False, description="true: units of the user's own systemd, as in `systemctl --user`.")
