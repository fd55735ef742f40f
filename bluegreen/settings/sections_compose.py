"""A colour that is a compose project: podman-compose or docker compose."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bluegreen.settings.argv import Argv
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import FilePath, Name, Period

PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What compose takes as the name of a project."""


def _project(value: str) -> str:
    if not PROJECT.fullmatch(value):
        raise ValueError("must be 1 to 63 of a-z 0-9 _ - (no _ or - first), as compose wants it")
    return value


ProjectName = Annotated[str, AfterValidator(_project)]


class Compose(Section):
    """runner = "compose": the colour is a compose project of its own, in `directory`."""

    tool: Argv | None = Field(
        default=None,
        description="The command that is compose. Not set: found on the colour's host, `docker compose` before "
        "`podman-compose`; where both are there it must be named.",
        examples=[["podman-compose"]],
    )
    project: ProjectName | None = Field(
        default=None,
        description="The project's name, one for each colour. Not set: <project>-<colour>, in small letters.",
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
    written: FilePath | None = Field(
        default=None,
        description="Directory on the colour's host in which two files are written for compose before anything starts, "
        "readable for its user alone: NAME.env with the variables (env_files, the images as KRATOS_IMAGE, the "
        "release's, RELEASE), given as --env-file, and NAME.release.json with the release's images, given as the last "
        "-f. Not set: `compose` in the state directory, or ~/.local/state/bluegreen of the user on another machine.",
        examples=["/var/lib/bluegreen/compose"],
    )
