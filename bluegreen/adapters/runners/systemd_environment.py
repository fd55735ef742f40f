"""The file from which a colour's units take their release: what stands in it, and what is remembered in it.

Outside facts (systemd.exec(5), EnvironmentFile=): lines of NAME="value", in which \\ escapes \\ " $ and `; a value may
hold newlines, and no other control character; lines that begin with # are ignored. There it is remembered as which
invocation each unit was started with these very variables: systemd gives every start another id, so that a unit runs
this release exactly where its id is still that one, whatever happened to us or to the clock meanwhile.
"""

import re
from collections.abc import Mapping

from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import image_variable
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.processes import VALUE

NAME = re.compile(r"(?!LD_)[A-Za-z_][A-Za-z0-9_]*")
"""What steers the dynamic loader (ld.so(8)) is not a release's business."""

RUNS = re.compile(r"^# runs (\S+) ([0-9a-f]{32})$", re.MULTILINE)


def text_of(colour: Colour, release: Release, own: Mapping[str, str]) -> str:
    """The file's text for a release: RELEASE, the colour's `own` variables, the images and the release's variables,
    later ones over earlier ones. Raises RunnerFailed for what systemd would not take in."""
    if not VALUE.fullmatch(release.version):
        raise _refused(colour, release, "its version must be 1 to 64 of A-Z a-z 0-9 . _ - (no . or - first)")
    images = {image_variable(part): image for part, image in release.images.items()}
    variables = {**own, **images, **release.variables, "RELEASE": release.version}
    for name, value in variables.items():
        if not NAME.fullmatch(name):
            raise _refused(colour, release, f"{name!r} is no name for a variable of a unit")
        if any((ord(char) < ord(" ") and char not in "\t\n") or char == "\x7f" for char in value):
            raise _refused(colour, release, f"the value of {name} holds a control character, which systemd drops")
    lines = [f"{name}={_quoted(value)}\n" for name, value in sorted(variables.items())]
    return "".join([f"# Written by bluegreen when {colour} is brought up: changes are lost.\n", *lines])


def remembered(text: str) -> tuple[str, dict[str, str]]:
    """A file's text without what is remembered in it, and that: the invocation of each unit."""
    return RUNS.sub("", text).rstrip("\n") + "\n", dict(RUNS.findall(text))


def remembering(text: str, invocations: Mapping[str, str]) -> str:
    """The text with what is to be remembered."""
    return text + "".join(f"# runs {unit} {id}\n" for unit, id in sorted(invocations.items()) if id)


def _quoted(value: str) -> str:
    return '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'


def _refused(colour: Colour, release: Release, why: str) -> RunnerFailed:
    return RunnerFailed(
        f"`up` of {colour} failed: release {release.version!r} cannot be written for its units: {why}",
        next=("bluegreen config docs environments.blue.systemd",),
        colour=str(colour),
    )
