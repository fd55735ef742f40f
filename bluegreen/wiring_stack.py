"""From settings to what a release is held to and comes with, and what its colours are given. Part of wiring."""

from bluegreen.adapters.papers.file import FilePapers
from bluegreen.domain.pins import ReleaseRules
from bluegreen.domain.versions import VersionRules
from bluegreen.ports_stack import ReleasePapers
from bluegreen.settings import Settings


def papers(settings: Settings) -> ReleasePapers:
    """Whoever reads what comes with a release; a release file may name files of its own."""
    changelog = settings.release.changelog
    return FilePapers(changelog=str(changelog) if changelog else None)


def release_rules(settings: Settings) -> ReleaseRules:
    """What releases are held to."""
    said = settings.release
    return ReleaseRules(
        VersionRules(said.skip_minor, said.skip_major, said.downgrade), said.pin, frozenset(said.moving)
    )
