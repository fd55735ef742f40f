"""The verb that judges again: a file of samples, without any daemon, or the samples of a deployment."""

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen.interfaces import text
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import word_of
from bluegreen.interfaces.cli.shell import Shell, Verb, verb

if TYPE_CHECKING:
    from bluegreen.app.samples import Sample
    from bluegreen.app.survey import Survey
    from bluegreen.domain.plans import Terms
    from bluegreen.interfaces.recordings import Fetch, Recording

TermsOf = Callable[[Shell, Path | None], "Terms"]
"""The terms that a configuration file has, or the defaults; ends the verb where the file cannot be used."""

LATEST = 1e11
"""Seconds: those of samples are not larger either (app/samples.py, which is imported when there are some)."""

FORMAT = '{"t": 12.5, "colour": "green", "signal": "5xx", "n": 1, "bad": 0}'


def replaying(terms_of: TermsOf) -> Verb:
    """The verb `replay`, for the top floor, which knows configurations."""

    @verb("replay")
    @click.argument("what", metavar="ID | FILE")
    @click.option(
        "--config",
        "file",
        type=click.Path(path_type=Path, readable=False),
        help="Judge as this configuration says; a file with nothing but [watch] will do.",
    )
    @click.option("--new", default="", metavar="COLOUR", help="The colour on trial, where that is not the second one.")
    @click.option("--switched-at", type=float, metavar="T", help="When users were moved, in the samples' seconds.")
    @click.option("--export", is_flag=True, help="Print the samples of deployment ID, one a line, and judge nothing.")
    def replay(
        shell: Shell, what: str, file: Path | None, new: str, switched_at: float | None, *, export: bool
    ) -> None:
        """Judge stored samples again: those of deployment ID on its own terms, or a FILE of them (- is standard input)
        on the defaults. Says when and why each verdict would have come. Changes nothing."""
        from bluegreen.interfaces.recordings import Recording

        if export and _is_file(what):
            shell.fail(f"{what} is a file already", (f"bluegreen replay {what}",), Exit.USAGE)
        if switched_at is not None and not abs(switched_at) <= LATEST:  # a NaN is no number of seconds either
            raise click.UsageError("--switched-at is no number of seconds")
        fetch = None if _is_file(what) else _fetching(shell, what)
        try:
            with Recording(what, fetch) as recording:
                if export:
                    shutil.copyfileobj(recording.file, sys.stdout.buffer)
                else:
                    _judge(shell, recording, terms_of, file, new, switched_at)
        except BrokenPipeError:
            raise
        except OSError as exc:
            shell.fail(f"{what} cannot be read: {exc.strerror or exc}", (f"ls -l {what}",), Exit.ERROR)

    return replay


def _is_file(what: str) -> bool:
    return what == "-" or (what != "" and Path(what).exists())


def _fetching(shell: Shell, what: str) -> "Fetch":
    """How the samples of a deployment are had from the daemon."""
    if what != "current" and not what.startswith("d-"):
        commands = ("bluegreen history", "bluegreen replay --help")
        shell.fail(f"{text.clean(what) or 'nothing'} is neither a file nor a deployment", commands, Exit.ERROR)
    id = word_of(what)
    return lambda file: shell.ask(lambda client: client.samples(id, file.write))


def _judge(
    shell: Shell, recording: "Recording", terms_of: TermsOf, file: Path | None, new: str, switched_at: float | None
) -> None:
    from bluegreen.app.replay import in_order, judge_samples
    from bluegreen.app.survey import Survey
    from bluegreen.interfaces import replay_lines

    survey = Survey(new=new, switched_at=switched_at).look(recording.checked())
    _require_sound(shell, recording, survey)
    samples: Iterable[Sample] = recording.samples()
    if not survey.ordered:
        samples = in_order(samples)
        survey = Survey(new=new, switched_at=switched_at).look(samples)
    try:
        terms, baseline = recording.settle(survey, terms_of(shell, file) if file or not recording.about else None)
    except ValueError as exc:
        shell.fail(f"{recording.name} was recorded by another program: {exc}", ("bluegreen --version",), Exit.ERROR)
    _require_switch(shell, recording, survey)
    try:
        outcome = judge_samples(samples, survey, terms, baseline)
    except (ValueError, ArithmeticError) as exc:
        if recording.about is None:  # terms of a configuration were looked at already: this is a fault of ours
            raise
        detail = f"{recording.name} cannot be judged as it says of itself: {exc}"
        shell.fail(detail, (f"bluegreen replay {recording.name} --config new.toml", "bluegreen --version"), Exit.ERROR)
    if shell.json:
        shell.say_json(replay_lines.outcome_document(survey, outcome))
    else:
        shell.say(replay_lines.outcome_lines(survey, outcome))
    if recording.cut_off:
        shell.remark([text.remark(text.WARNING, "cut off", text.clean(recording.cut_off))])


def _require_sound(shell: Shell, recording: "Recording", survey: "Survey") -> None:
    faults = recording.faults
    if faults.n:
        more = [f"... and {faults.n - len(faults.first):,} more"] if faults.n > len(faults.first) else []
        lines = "1 line that is no sample" if faults.n == 1 else f"{faults.n:,} lines that are no samples"
        detail = "\n".join([f"{recording.name} has {lines}:", *faults.first, *more])
        shell.fail(detail, (f"write each line like {FORMAT}",), Exit.ERROR)
    if survey.stranger:
        detail = f"{recording.name} has a third colour, {survey.stranger}, beside {survey.old} and {survey.new}"
        shell.fail(detail, ("keep two colours in it, the old one and the new one",), Exit.ERROR)


def _require_switch(shell: Shell, recording: "Recording", survey: "Survey") -> None:
    if survey.new and survey.switched_at is not None:
        return
    if not survey.old:
        detail = f"{recording.name} has no samples: nothing can be judged"
        shell.fail(detail, (f"write each line like {FORMAT}",), Exit.ERROR)
    detail = f"{recording.name} has only {survey.old}'s samples: nothing was switched, so nothing can be judged"
    shell.fail(detail, (f"bluegreen replay {recording.name} --new {survey.old}",), Exit.ERROR)
