"""From settings to what a release is held to and comes with, and what its colours are given. Part of wiring."""

from pathlib import Path

from bluegreen.adapters.papers.file import FilePapers
from bluegreen.adapters.variables.files import FileVariables, Place
from bluegreen.domain.pins import ReleaseRules
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import DIFFER, SAME, SECRETS, Rules
from bluegreen.domain.versions import VersionRules
from bluegreen.ports_stack import ReleasePapers, Variables
from bluegreen.settings import Settings
from bluegreen.wiring_hosts import host, workplace


def papers(settings: Settings) -> ReleasePapers:
    """Whoever reads what comes with a release; a release file may name files of its own."""
    changelog, example = settings.release.changelog, settings.variables.example
    return FilePapers(
        changelog=str(changelog) if changelog else None,
        example=str(example) if example else None,
    )


def release_rules(settings: Settings) -> ReleaseRules:
    """What releases are held to."""
    said = settings.release
    return ReleaseRules(
        VersionRules(said.skip_minor, said.skip_major, said.downgrade), said.pin, frozenset(said.moving)
    )


def variables(settings: Settings, state: Path) -> Variables:
    """Whoever reads what the colours are given. The key of its fingerprints lies in the state directory."""
    said = settings.variables
    rules = Rules(
        (*SECRETS, *said.secrets),
        (*SAME, *said.same),
        (*DIFFER, *said.differ),
        said.ignore,
        refuse_missing=said.missing == "refuse",
    )
    places = {colour: place for colour in Colour if (place := _place(settings, colour)) is not None}
    return FileVariables(places, rules, state / "variables.key")


def _place(settings: Settings, colour: Colour) -> Place | None:
    """Where the variables of a colour lie. Compose reads the `.env` of its directory where no other file is named."""
    environment, here = settings.environments.of(colour), host(settings, colour)
    if environment.env_files:
        return Place(here, environment.env_files)
    directory = workplace(settings, colour)
    if environment.runner != "compose" or directory is None:
        return None
    return Place(here, (directory / ".env",), optional=True)
