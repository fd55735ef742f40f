"""What really runs of a colour, held against what was started there.

What was started is written down once it is ready: which images, by digest, and since when each part runs. Anything that
differs later was not done by a deployment: a part that ended, one that began again, an image that was exchanged. It is
told, and moves no traffic: whether users are worse off for it is what the watch is for.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.pins import parse, same_image

SHORT = 12
"""Hexadecimal digits of a digest that people are shown."""

SAME = timedelta(seconds=1)
"""Within it two start times are one: engines round them in different ways."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a colour ran when it was found ready at `at`, with the images that its release names. `deployment` is "" for
    a colour that was brought up by hand, or that ran before we looked."""

    release: str
    at: datetime
    parts: tuple[Part, ...]
    images: Mapping[str, str] = field(default_factory=dict)
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One part is not as it was started. `key` is the same as long as the same is meant."""

    part: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Running:
    """What runs of a colour, as of `looked_at`. `unknown`: why nobody can tell any more, `since` when; the parts are
    then those of the last look. `differences`: what is not as it was started at `begun`."""

    release: str
    parts: tuple[Part, ...] = ()
    looked_at: datetime | None = None
    begun: datetime | None = None
    differences: tuple[Difference, ...] = ()
    unknown: str = ""
    since: datetime | None = None


def differences(
    started: Started, now: Collection[Part], live_only: Collection[str], *, at_home: bool = False
) -> tuple[Difference, ...]:
    """What is not as it was started, part by part. `live_only` ones start and end with the traffic: whether they run is
    looked at only `at_home`, where they should."""
    found = {part.name: part for part in now}
    told: list[Difference] = []
    for was in started.parts:
        if not _is_one_of(was, live_only):
            told += _of(was, found.get(was.name))
    if at_home:
        told += _failed(part for part in now if _is_one_of(part, live_only))
    return (*told, *_images(started, now))


def _is_one_of(part: Part, live_only: Collection[str]) -> bool:
    return part.name in live_only or _without_number(part.name) in live_only


def _failed(parts: Iterable[Part]) -> Iterator[Difference]:
    for part in parts:
        if part.state is PartState.FAILED:
            why = f": {part.detail}" if part.detail else ""
            yield Difference(part.name, f"{part.name} failed", f"{part.name} is failed{why}")


def _of(was: Part, now: Part | None) -> Iterator[Difference]:
    name = was.name
    if now is None:
        yield Difference(name, f"{name} is gone", f"{name} is gone: nothing of this name is there any more")
        return
    ran = was.state in (PartState.RUNNING, PartState.STARTING)
    ill = now.health == "unhealthy"
    if ran and now.state in (PartState.STOPPED, PartState.FAILED) and (now.detail or not ill):
        why = f": {now.detail}" if now.detail else ""
        yield Difference(name, f"{name} {now.state}", f"{name} is {now.state}{why}")
        return
    if ran and _later(was.started_at, now.started_at) and now.started_at is not None:
        began = f"{now.started_at:%Y-%m-%d %H:%M:%S} UTC"
        hour = f"{now.started_at:%Y%m%d%H}"  # one that begins again and again is told once an hour
        yield Difference(name, f"{name} began in {hour}", f"{name} was started again at {began}")
    if ill and was.health != "unhealthy":
        yield Difference(name, f"{name} unhealthy", f"{name} is unhealthy{f': {now.detail}' if now.detail else ''}")
    if was.digest and now.digest and was.digest != now.digest:
        yield Difference(
            name,
            f"{name} runs {now.digest}",
            f"{name} runs {brief(now.digest)}, and was started with {brief(was.digest)}",
        )


def _later(was: datetime | None, now: datetime | None) -> bool:
    return was is not None and now is not None and now - was > SAME


def _images(started: Started, now: Collection[Part]) -> Iterator[Difference]:
    for part in now:
        wanted = started.images.get(part.name) or started.images.get(_without_number(part.name), "")
        if not wanted or part.state not in (PartState.RUNNING, PartState.STARTING):
            continue
        text = _not_the_release_s(wanted, part)
        if text:
            yield Difference(
                part.name, f"{part.name} is not {wanted}", f"{part.name} {text}, and {started.release} says {wanted}"
            )


def _not_the_release_s(wanted: str, part: Part) -> str:
    reference = parse(wanted)
    if reference is not None and reference.digest and part.digest:
        return "" if part.digest == reference.digest else f"runs {brief(part.digest)}"
    if part.image and not part.image.startswith("sha256:") and not same_image(wanted, part.image):
        return f"runs {part.image}"
    return ""


def _without_number(name: str) -> str:
    """The service of a further replica: web of web-2."""
    service, dash, number = name.rpartition("-")
    return service if dash and number.isdigit() else ""


def moved_tags(parts: Collection[Part], known: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """References that name another image than they did before (`known`: digest by reference): each with the digest of
    then and that of now. Somebody pushed over a tag."""
    found = {}
    for part in parts:
        was = known.get(part.image, "")
        if part.image and part.digest and was and was != part.digest:
            found[part.image] = (part.image, was, part.digest)
    return tuple(found.values())


def brief(digest: str) -> str:
    """A digest as people read it: sha256:0123456789ab."""
    algorithm, colon, value = digest.partition(":")
    return f"{algorithm}:{value[:SHORT]}" if colon else digest[:SHORT]
