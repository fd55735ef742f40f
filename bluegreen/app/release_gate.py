"""What a release is held to before anything begins, and what people should read of it.

Images are pinned as the configuration wants them; the version takes an allowed step from the live one, or somebody says
why not (`force` and a reason, which stay with the deployment). A rollback that goes back is never held up by either,
and is told; one to a newer release, past what it would skip, is none.
"""

import asyncio
from dataclasses import dataclass

from bluegreen.app import environments
from bluegreen.app.requests import PlanRequest
from bluegreen.app.world import World
from bluegreen.domain import changelog, versions
from bluegreen.domain.changelog import Line
from bluegreen.domain.errors import BluegreenError, GateRefused, ReleaseInvalid
from bluegreen.domain.papers import Papers
from bluegreen.domain.pins import contradictions, loosely_pinned
from bluegreen.domain.plans import ComponentChange, Kind, Release
from bluegreen.domain.traffic import Colour
from bluegreen.domain.versions import Opinion

BUDGET = 10.0
"""Seconds in which what comes with a release must be read: files on a disk that may hang."""

SHOWN = 300
"""Lines of a changelog that a plan carries."""

UNKNOWN = "unknown"
"""What planning calls a live release that nobody knows."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What a plan says of its release. See Plan."""

    warnings: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    changelog: tuple[Line, ...] = ()
    changelog_file: str = ""
    changelog_left: int = 0
    changelog_undone: bool = False
    components: tuple[ComponentChange, ...] = ()


async def examine(
    world: World, release: Release, live: Colour, live_release: str, request: PlanRequest, kind: Kind
) -> Brief:
    """Hold a release to the rules, and gather what people should read. Raises GateRefused, ReleaseInvalid."""
    _require_sources(world, release, kind)
    loose = _loose(world, release)
    if loose and kind is Kind.DEPLOY:
        raise _refusal(release, loose)
    papers = await _papers(world, release)
    opinion = _opinion(world, papers, live_release, release)
    if kind is Kind.ROLLBACK:
        _require_back(opinion, live_release, release, request)
    overridden = _let_through(opinion, release, request, kind)
    said = _extract(papers, live_release, release)
    lines = changelog.bounded(said.lines, SHOWN)
    warnings = [
        *loose,
        *(f"{objection}: {_why(request, kind)}" for objection in opinion.objections),
        *(opinion.remarks if kind is Kind.DEPLOY else ()),  # a rollback goes back: nobody needs to be told
        *contradictions(release.version, release.images, release.components),
        *_doubts(papers, said),
    ]
    return Brief(
        warnings=tuple(warnings),
        overridden=overridden,
        changelog=lines,
        changelog_file=papers.changelog_file,
        changelog_left=len(said.lines) - len(lines),
        changelog_undone=said.undone,
        components=await _components(world, release, live),
    )


def require_pinned(world: World, release: Release) -> None:
    """Raise GateRefused where an image is not pinned as the configuration wants it: for what is started by hand."""
    loose = _loose(world, release)
    if loose:
        raise _refusal(release, loose)


def _loose(world: World, release: Release) -> tuple[str, ...]:
    found = {part: loosely_pinned(image, world.rules.pin, world.rules.moving) for part, image in release.images.items()}
    return tuple(f"the image of {part}, {release.images[part]}, {why}" for part, why in found.items() if why)


def _refusal(release: Release, loose: tuple[str, ...]) -> GateRefused:
    return GateRefused(
        f"{release.version}: {'; '.join(loose)}",
        next=(f"$EDITOR {release.file}", f"bluegreen plan {release.version}"),
    )


def _require_sources(world: World, release: Release, kind: Kind) -> None:
    """Every source of migrations that the release names is one, of SQL files. A rollback changes no schema."""
    unknown = [source for source in release.migrations if source not in world.migrates]
    if not unknown or kind is Kind.ROLLBACK:
        return
    known = ", ".join(world.migrates) or "there is none"
    raise ReleaseInvalid(
        f"{release.file}: [migrations] names {', '.join(unknown)}, which is no source of SQL files ({known})",
        next=(f"$EDITOR {release.file}", "bluegreen config docs migrations"),
        release=release.version,
    )


async def _papers(world: World, release: Release) -> Papers:
    if world.papers is None:
        return Papers()
    try:
        async with asyncio.timeout(BUDGET):
            return await world.papers.read(release)
    except TimeoutError:
        return Papers(changelog_problem=f"what comes with {release.version} was not read within {BUDGET:g} s")
    except BluegreenError as exc:
        return Papers(changelog_problem=exc.detail)


def _opinion(world: World, papers: Papers, live_release: str, release: Release) -> Opinion:
    if live_release == UNKNOWN:
        return Opinion(remarks=("the live release is not known, so the version policy cannot tell this step",))
    told = changelog.released(papers.changelog or "")
    known = told if any(versions.parse(each) == versions.parse(release.version) for each in told) else ()
    return versions.judge(live_release, release.version, world.rules.versions, known)


def _let_through(opinion: Opinion, release: Release, request: PlanRequest, kind: Kind) -> tuple[str, ...]:
    if not opinion.objections or kind is Kind.ROLLBACK:
        return ()
    if request.force and request.reason:
        return opinion.objections
    nearer = (f"bluegreen plan {opinion.nearer}",) if opinion.nearer else ()
    raise GateRefused(
        "; ".join(opinion.objections),
        next=(*nearer, f"bluegreen deploy {release.name or release.version} --force --reason '...'"),
    )


def _require_back(opinion: Opinion, live_release: str, release: Release, request: PlanRequest) -> None:
    """A rollback takes no backup, rehearses nothing and is never taken back by itself: it is no way around the rules
    for a release that is newer. Raises GateRefused; with a reason people may go back to what they left."""
    old, new = versions.parse(live_release), versions.parse(release.version)
    if old is None or new is None or new <= old or not opinion.objections or (request.force and request.reason):
        return
    name = release.name or release.version
    raise GateRefused(
        f"{release.version} is newer than {live_release}, so this is a deployment and no rollback; and "
        f"{'; '.join(opinion.objections)}",
        next=(f"bluegreen plan {name}", f"bluegreen rollback {name} --reason '...'"),
    )


def _why(request: PlanRequest, kind: Kind) -> str:
    if kind is Kind.ROLLBACK:
        return "let through, as a rollback"
    return f"let through, because: {request.reason}"


def _extract(papers: Papers, live_release: str, release: Release) -> changelog.Extract:
    if papers.changelog is None:
        return changelog.Extract()
    return changelog.between(papers.changelog, live_release, release.version)


def _doubts(papers: Papers, said: changelog.Extract) -> tuple[str, ...]:
    if papers.changelog_problem:
        return (f"the changelog is not shown: {papers.changelog_problem}",)
    return (f"the changelog {papers.changelog_file}: {said.doubt}",) if said.doubt else ()


async def _components(world: World, release: Release, live: Colour) -> tuple[ComponentChange, ...]:
    if not release.components:
        return ()
    try:
        was = (await environments.release_of(world, live)).components
    except BluegreenError:
        was = {}  # nobody knows what it was started with, and its file is gone
    names = dict.fromkeys((*release.components, *was))
    return tuple(ComponentChange(name, was.get(name, ""), release.components.get(name, "")) for name in names)
