"""Image references, and whether they name one image for good.

The grammar is that of distribution/reference, which docker and podman share: [HOST[:PORT]/]PATH[:TAG][@DIGEST]. A colon
before a slash belongs to a port; what has no tag means `latest`, which is whatever was pushed last.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bluegreen.domain.versions import VersionRules

Pin = Literal["tag", "digest"]

HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?P<name>(?:(?P<host>{HOST}(?::[0-9]{{1,5}})?)/)?{COMPONENT}(?:/{COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9.+_-]*:[0-9A-Fa-f]{32,}))?"
)
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST = 255
"""Characters that the name of an image may have."""

ALWAYS_MOVING = "latest"
VERSION = re.compile(r"v?\d+(?:\.\d+)+(?:[-._+].*)?")
"""A tag that says a version. The hash of a commit, a date in one number, or a word says none."""


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """What a release must be: which steps its version may take, and how its images are pinned."""

    versions: VersionRules = field(default_factory=VersionRules)
    pin: Pin = "tag"
    moving: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference in its parts; `tag` and `digest` are "" where it has none."""

    name: str
    tag: str = ""
    digest: str = ""

    @property
    def is_pinned_by_digest(self) -> bool:
        """Whether it names one image and no other, whatever anybody pushes."""
        return SHA256.fullmatch(self.digest) is not None


def parse(text: str) -> Reference | None:
    """A reference in its parts; None where it is none."""
    found = REFERENCE.fullmatch(text)
    if found is None or len(found["name"]) > LONGEST:
        return None
    return Reference(found["name"], found["tag"] or "", found["digest"] or "")


def never_pinned(text: str) -> str:
    """Why a reference may never stand in a release, in words; "" where it may."""
    reference = parse(text)
    if reference is None:
        return 'is not an image: write NAME:TAG or NAME@sha256:..., for example "registry.example.org/app:1.2.0"'
    if reference.digest:
        if reference.is_pinned_by_digest:
            return ""
        return "has a digest that is none: write sha256: and 64 hexadecimal digits"
    if not reference.tag:
        return (
            f"names no tag, and so whatever was pushed last: write {reference.name}:TAG, or {reference.name}@sha256:..."
        )
    if reference.tag == ALWAYS_MOVING:
        return f"is whatever was pushed last: write the tag of this release, or {reference.name}@sha256:..."
    return ""


def loosely_pinned(text: str, pin: Pin, moving: Collection[str]) -> str:
    """Why a reference is not pinned as the configuration wants it, in words; "" where it is."""
    if why := never_pinned(text):
        return why
    reference = parse(text)
    if reference is None or reference.digest:
        return ""
    if reference.tag in moving:
        return f"has a tag that moves ([release] moving): write the tag of this release, or {reference.name}@sha256:..."
    if pin == "digest":
        return f'is pinned by a tag, and [release] pin = "digest" wants {reference.name}@sha256:...'
    return ""


def contradictions(version: str, images: Mapping[str, str], components: Mapping[str, str]) -> tuple[str, ...]:
    """Tags that say another version than the one their part should have: its component's, else the release's."""
    found = []
    for part, text in images.items():
        reference = parse(text)
        if reference is None or not reference.tag or VERSION.fullmatch(reference.tag) is None:
            continue
        wanted = components.get(part, version)
        if VERSION.fullmatch(wanted) and not _agree(reference.tag, wanted):
            remedy = "" if part in components else f"; if {part} has versions of its own, name it under [components]"
            found.append(f"the image of {part} is tagged {reference.tag}, and {part} should be {wanted}{remedy}")
    return tuple(found)


def same_image(wanted: str, running: str) -> bool:
    """Whether two references name the same image: docker leaves out its own registry, podman spells it out."""
    return _spelled_out(wanted) == _spelled_out(running)


def _spelled_out(text: str) -> tuple[str, str]:
    """The name with its registry, and what pins it: the digest, else the tag."""
    reference = parse(text)
    if reference is None:
        return text, ""
    host, slash, rest = reference.name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        name = reference.name if slash else f"library/{reference.name}"
        return f"docker.io/{name}", reference.digest or reference.tag
    return f"{'docker.io' if host == 'index.docker.io' else host}/{rest}", reference.digest or reference.tag


def _agree(tag: str, version: str) -> bool:
    """Whether one says the same as the other, perhaps in fewer words: 1.2, v1.2.0, 1.2.0-alpine."""
    short, long = sorted((tag.removeprefix("v"), version.removeprefix("v")), key=len)
    return long == short or (long.startswith(short) and long[len(short)] in "-._+")
