"""How a stream of samples is to be judged: by a whole configuration, by a file with a section [watch] alone, or by the
defaults."""

from pathlib import Path

from pydantic import Field, ValidationError

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.plans import Terms
from bluegreen.settings import judged
from bluegreen.settings.documents import Document, Unreadable, read_document
from bluegreen.settings.loading import load
from bluegreen.settings.problems import Reading
from bluegreen.settings.section import Section
from bluegreen.settings.sections_watch import Watch
from bluegreen.settings.values import relative_to


class WatchAlone(Section):
    """A file that says nothing but how releases are watched."""

    watch: Watch = Field(default=Watch(), description="How releases are watched.")


def terms_of(file: Path | None) -> Terms:
    """What a judge needs of a configuration; None: the defaults. Raises ConfigurationError as `load` does."""
    if file is None:
        return judged.terms(Watch(), ())
    try:
        document = read_document(file)
    except (FileNotFoundError, Unreadable):
        document = None
    if document is not None and set(document.data) <= {"watch"}:
        return judged.terms(_watch_alone(file, document), ())
    settings = load(file)
    return judged.terms(settings.watch, settings.routed)


def _watch_alone(file: Path, document: Document) -> Watch:
    try:
        with relative_to(file.resolve().parent):
            return WatchAlone(**document.data).watch
    except ValidationError as exc:
        problems = Reading(WatchAlone, file, document.places).explain(exc)
        detail = "\n  ".join(str(problem) for problem in problems)
        shown = [problem.as_json() for problem in problems]
        raise ConfigurationError(detail, next=("bluegreen config docs watch",), file=str(file), problems=shown) from exc
