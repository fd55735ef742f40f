"""Releases: where they are described, how their images are pinned, and which steps between versions are allowed."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bluegreen.domain.pins import TAG
from bluegreen.settings.argv import WORD
from bluegreen.settings.section import Section, Shape
from bluegreen.settings.values import FilePath, matching


def _of_a_release(path: FilePath) -> FilePath:
    for word in WORD.findall(str(path)):
        if word != "release":
            raise ValueError(f"{{{word}}} is not filled in here; what is: {{release}}")
    return path


ReleasePath = Annotated[FilePath, AfterValidator(_of_a_release)]
"""A file in whose path {release} is filled in."""

Tag = Annotated[str, AfterValidator(matching(TAG, "a tag", 'write one like "edge"')), Shape("tag", "edge")]


class Releases(Section):
    """What RELEASE means in `bluegreen deploy RELEASE`, and what a release must be to be deployed."""

    directory: FilePath | None = Field(
        default=None,
        description="Directory of release files: RELEASE is <directory>/RELEASE.toml (see release.example.toml). Not "
        "set: RELEASE is a bare version, passed to the commands as {release}.",
        examples=["/etc/bluegreen/releases"],
    )
    pin: Literal["tag", "digest"] = Field(
        default="tag",
        description='How a release file must name its images. "tag": NAME:TAG or NAME@sha256:...; "digest": only '
        "NAME@sha256:..., which nobody can push over. An image without a tag, or with `latest`, is never taken.",
    )
    moving: tuple[Tag, ...] = Field(
        default=("edge", "nightly", "stable", "main", "master"),
        description="Tags that are pushed over again and again, refused like `latest`.",
    )
    skip_major: bool = Field(
        default=False,
        description="Whether a deployment may go past a major version (1.4 to 3.0). What is refused by this and the "
        "next two is let through by `deploy --force --reason`, and recorded. They hold for versions of the form "
        "MAJOR.MINOR.PATCH; of others a plan says that it cannot tell.",
    )
    skip_minor: bool = Field(
        default=False,
        description="Whether a deployment may go past a minor version (1.2 to 1.4). Where `changelog` mentions the new "
        "version, only versions that it mentions too count as skipped; else every number does.",
    )
    downgrade: Literal["never", "patch", "any"] = Field(
        default="patch",
        description='Whether an older version may be deployed: "patch" allows 1.2.3 to 1.2.1. A `rollback` is never '
        "refused by it.",
    )
    changelog: ReleasePath | None = Field(
        default=None,
        description="The changelog, Markdown; {release} is filled in. Its entries between the live and the new version "
        "are shown in the plan. A release file may name its own. Not set: none is shown.",
        examples=["/srv/olympus/CHANGELOG.md"],
    )
