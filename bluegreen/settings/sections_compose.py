"""A colour that is a compose project: podman-compose or docker compose."""

from typing import Literal

from pydantic import Field

from bluegreen.settings.argv import Argv
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import Name, Period


class Compose(Section):
    """runner = "compose": the colour is a compose project of its own, in `directory`."""

    tool: Argv | None = Field(
        default=None,
        description="The command that is compose. Not set: found on the colour's host, `docker compose` before "
        "`podman-compose`; where both are there it must be named.",
        examples=[["podman-compose"]],
    )
    project: Name | None = Field(
        default=None,
        description="The project's name, one for each colour. Not set: <project>-<colour>.",
        examples=["olympus-blue"],
    )
    files: tuple[str, ...] = Field(
        default=(),
        description="The compose files, later ones over earlier ones, relative to `directory`. Empty: what compose "
        "finds there.",
        examples=[["compose.yaml", "compose.blue.yaml"]],
    )
    profiles: tuple[Name, ...] = Field(default=(), description="The profiles that are active.", examples=[["tracing"]])
    pull: Literal["always", "missing", "never"] = Field(
        default="missing",
        description='Which images are pulled before anything starts: "always" all of them, "missing" those that are '
        'not there, "never": all must be there.',
    )
    stop_timeout: Period = Field(
        default=as_written("30s"), description="How long a container may take to end before it is killed."
    )
