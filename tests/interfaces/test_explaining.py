"""`explain`, `pause` and `resume` as people see them; and every code has its explanation."""

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from bluegreen.__main__ import bluegreen
from bluegreen.app.requests import Explanation, KeyLine, LimitLine, Paused
from bluegreen.domain import errors
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import BluegreenError, DeploymentInProgress
from bluegreen.domain.evidence import Verdict
from bluegreen.domain.phases import Phase
from bluegreen.interfaces import glossary, pauses, render, verdicts
from bluegreen.interfaces.cli.exits import Exit
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import BEGAN, a_deployment, a_plan, a_status, an_explanation, at

APP = Path(__file__).parent.parent.parent / "bluegreen"


def invoke(served: Served, *words: str) -> Result:
    return CliRunner().invoke(bluegreen, words, env={"BLUEGREEN_SOCKET": str(served.path)})


def plain(lines: list[str]) -> list[str]:
    return [click.unstyle(line) for line in lines]


# --- codes


def tree(root: type[BluegreenError]) -> set[str]:
    return {root.code}.union(*(tree(kind) for kind in root.__subclasses__()))


def pages_in_the_code() -> set[str]:
    """The keys with which a person is called: the first argument of every `page`."""
    calls = [
        node
        for file in (APP / "app").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("page", "_page")
    ]
    return {str(call.args[0].value) for call in calls if call.args and isinstance(call.args[0], ast.Constant)}


def test_every_error_code_cause_page_and_exit_code_is_explained() -> None:
    own = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BluegreenError)}
    assert own <= tree(BluegreenError)
    assert own - set(glossary.KINDS["error"]) == set()
    assert {str(cause) for cause in Cause} - set(glossary.KINDS["cause"]) == set()
    assert {str(int(code)) for code in Exit} ^ set(glossary.KINDS["exit code"]) == set()
    assert "alert-held" in pages_in_the_code()
    assert pages_in_the_code() - set(glossary.KINDS["page"]) == set()


@pytest.mark.parametrize("kind", glossary.KINDS)
def test_an_explanation_says_what_it_means_and_what_to_do_in_short(kind: str) -> None:
    for code, (meaning, todo) in glossary.KINDS[kind].items():
        assert code == code.lower()
        for said in (meaning, todo):
            assert 4 < len(said) < 130, (code, said)


def test_a_code_is_explained_without_a_daemon() -> None:
    result = CliRunner().invoke(bluegreen, ["explain", "MOVED-OUTSIDE"], env={"BLUEGREEN_SOCKET": "/nowhere"})
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "moved-outside"
    assert "  error       " in result.stdout
    assert "  cause       " in result.stdout


@pytest.mark.parametrize("verdict", [str(verdict) for verdict in Verdict])
def test_every_verdict_is_explained(verdict: str) -> None:
    result = CliRunner().invoke(bluegreen, ["explain", verdict], env={"BLUEGREEN_SOCKET": "/nowhere"})
    assert result.exit_code == 0
    assert "  verdict     " in result.stdout


def test_what_is_no_code_is_looked_up_as_a_deployment(served: Served) -> None:
    served.service.play(at(Phase.WATCHING))
    assert invoke(served, "explain", "d-1").stdout.startswith("d-1: 1.1.0 in WATCHING")
    result = invoke(served, "explain", "d-2")
    assert (result.exit_code, "there is no deployment d-2" in result.stderr) == (1, True)
    result = invoke(served, "explain", "cady")
    assert (result.exit_code, "cady is no deployment, and no code" in result.stderr) == (1, True)


# --- a verdict


def test_a_verdict_is_explained_signal_by_signal() -> None:
    lines = plain(verdicts.explanation_lines(an_explanation(), BEGAN))
    assert lines == [
        "d-1: 1.1.0 in WATCHING, watched for 3m 5s; now",
        "  verdict     undecided: probe cannot tell: every rate is tolerated",
        "  to cut back odds of 1,000:1 and 3 bad events; all signals together have 11:1 (1.1 % of that)",
        "  5xx         8 of 1,204 (0.66 %) against tolerated 0.3 %: 11:1; 3 more bad in a row would cut back",
        "  probe       0 of 400 (0 %) against tolerated 50 %: 0.1:1; every rate is tolerated, only fixed limits tell",
        "  auth        nothing seen, tolerated 1 %: 0.1:1; 6 more bad in a row would cut back",
        "  limit       probe of web failures in a row: 1 of 3, 400 samples",
        "  ✔ way back  ready",
        "  next: bluegreen watch d-1",
        "    or: bluegreen cutback",
    ]


def test_what_holds_a_verdict_is_said() -> None:
    held = an_explanation(
        verdict="regressed",
        limits=(LimitLine("probe of web failures in a row", 3.0, 3.0, 9, broken=True),),
        silent=("access_log",),
        way_back="lost",
        held="there is no way back",
        paused="paused by ann: lunch",
    )
    text = "\n".join(plain(verdicts.explanation_lines(held, BEGAN)))
    for said in (
        "3 of 3, 9 samples: broken, this cuts back by itself",
        "! silent    access_log: nobody can tell how users fare",
        "✖ way back  lost",
        "! held      there is no way back",
        "! paused    paused by ann: lunch",
        "next: bluegreen cutback",
    ):
        assert said in text


def test_of_a_verdict_that_cuts_back_only_the_signals_that_speak_against_the_release_say_so() -> None:
    signals = an_explanation().signals
    guilty, innocent = replace(signals[0], odds=3_075.0, more_bad=0), replace(signals[2], odds=0.1, more_bad=0)
    cut = an_explanation(verdict="regressed", odds=3_075.0, signals=(guilty, innocent))
    lines = plain(verdicts.explanation_lines(cut, BEGAN))
    assert lines[2].endswith("all signals together have 3,075:1 (enough)")
    assert [line.endswith("; this cuts back") for line in lines[3:5]] == [True, False]


def test_a_signal_that_is_bad_does_not_say_how_many_more_would_make_it_good() -> None:
    guilty = replace(an_explanation().signals[0], odds=3_075.0, more_bad=0, critical=True, missing=900, state="bad")
    text = "\n".join(plain(verdicts.explanation_lines(an_explanation(verdict="regressed", signals=(guilty,)), BEGAN)))
    assert "; this cuts back" in text
    assert "may be called good" not in text


def test_what_is_in_dry_run_has_no_part_of_the_stake() -> None:
    tried = replace(an_explanation().signals[0], dry_run=True, state="ok", share=1.0, history=500)
    text = "\n".join(plain(verdicts.explanation_lines(an_explanation(signals=(), dry=(tried,)), BEGAN)))
    assert "(dry run: nothing follows)" in text
    assert "of the stake" not in text


def test_one_sample_is_one_sample() -> None:
    limit = LimitLine("probe of web failures in a row", 0.0, 3.0, 1, broken=False)
    lines = plain(verdicts.explanation_lines(an_explanation(limits=(limit,)), BEGAN))
    assert "  limit       probe of web failures in a row: 0 of 3, 1 sample" in lines


def test_a_signal_says_what_it_rests_on_what_holds_it_back_and_where_it_came_from() -> None:
    key = KeyLine("one client", False, 3.0, 20.0, "one client (3:1 without it, 20:1 needed)")
    errors = replace(
        an_explanation().signals[0],
        state="undecided",
        usual=0.001,
        history=52_000,
        decides="rel",
        phi=1.8,
        share=0.4,
        keys=(key,),
        where="mostly POST /login of web (7 of 8)",
    )
    queue = replace(errors, signal="queue", label="queue of jobs", state="error", trouble="queue: refused", keys=())
    dry = replace(errors, signal="jobs", state="bad", dry_run=True, more_bad=0, odds=5_000.0, keys=(), where="")
    said = "soft (dry run): 5xx 5 % in 30 s"
    soft = LimitLine("soft", 0.05, 0.02, 80, broken=True, text=said, dry_run=True, window=30.0)
    usual = "usual 0.1 % (history of 52,000, 1.8 times as unsteady as chance)"
    alone = f"{usual}; tolerated is a multiple of what was usual"
    rests = f"{alone}; 40 % of the stake"
    seen = "8 of 1,204 (0.66 %) against tolerated 0.3 %"
    lines = plain(
        verdicts.explanation_lines(
            an_explanation(signals=(errors, queue), dry=(dry,), limits=(soft,), troubles=("queue: refused",)), BEGAN
        )
    )
    assert lines[3:] == [
        f"  5xx         {seen}: 11:1; 3 more bad in a row would cut back",
        f"              undecided; {rests}",
        "              would be held back by: one client (3:1 without it, 20:1 needed)",
        "              mostly POST /login of web (7 of 8)",
        f"  queue of jobs  {seen}: 11:1; 3 more bad in a row would cut back",
        f"              error: queue: refused; {rests}",
        "              mostly POST /login of web (7 of 8)",
        f"  jobs        {seen}: 5,000:1; this would cut back (dry run: nothing follows)",
        f"              bad; {alone}",
        "  limit       soft (dry run): 5xx 5 % in 30 s: broken, nothing follows",
        "  ! not heard queue: refused",
        "  ✔ way back  ready",
        "  next: bluegreen watch d-1",
        "    or: bluegreen cutback",
    ]


def test_what_an_earlier_version_kept_still_loads() -> None:
    kept = msgspec.to_builtins(an_explanation())
    of_signals = ("signal", "n", "bad", "rate", "tolerated", "odds", "more_bad", "missing", "critical")
    kept["signals"] = [{key: line[key] for key in of_signals} for line in kept["signals"]]
    of_limits = ("name", "value", "limit", "samples", "broken")
    kept["limits"] = [{key: line[key] for key in of_limits} for line in kept["limits"]]
    for key in ("troubles", "dry", "side_by_side"):
        del kept[key]
    assert msgspec.convert(kept, Explanation) == an_explanation()


def test_an_old_verdict_says_of_when_it_is() -> None:
    past = an_explanation(current=False, phase=Phase.STANDING_BY)
    lines = plain(verdicts.explanation_lines(past, BEGAN + timedelta(hours=2)))
    assert lines[0] == "d-1: 1.1.0 in STANDING_BY, watched for 3m 5s; as it was 2h ago, when STANDING_BY ended"
    assert lines[-1] == "  next: bluegreen show d-1"


# --- pausing


def test_pausing_says_until_when_and_how_to_end_it(served: Served) -> None:
    result = invoke(served, "pause", "--reason", "counting  the\nmoney", "--for", "2h")
    assert result.exit_code == 0, result.output
    assert [call[0] for call in served.service.calls] == ["pause"]
    assert served.service.calls[0][2:] == ("counting the money", 7200.0)
    assert result.stdout.startswith("✔ automation is paused until ")
    assert "next: bluegreen resume --reason '...'" in result.stdout


def test_resuming_says_what_ended(served: Served) -> None:
    invoke(served, "pause", "--reason", "lunch")
    result = invoke(served, "resume", "--reason", "back")
    assert (result.exit_code, "it was paused for" in result.stdout) == (0, True)
    again = invoke(served, "resume", "--reason", "back")
    assert (again.exit_code, again.stdout.splitlines()[0]) == (0, "· nothing was paused")


@pytest.mark.parametrize(
    "words", [["pause"], ["resume"], ["promote", "--full"], ["pause", "--reason", "x", "--for", "soon"]]
)
def test_what_needs_a_reason_or_a_duration_is_wrong_usage_without(served: Served, words: list[str]) -> None:
    result = invoke(served, *words)
    assert result.exit_code == 2
    assert served.service.calls == []


def test_the_status_says_in_its_first_lines_that_nothing_moves_by_itself() -> None:
    paused = Paused("uid 0 (root)", "counting the money", BEGAN, BEGAN + timedelta(hours=1))
    status = replace(a_status(at(Phase.WATCHING)), pause=paused)
    lines = plain(render.status_lines(status))
    assert lines[1].startswith("  ! paused    by uid 0 (root) since ")
    assert lines[1].endswith(": counting the money")
    assert plain([render.headline(status)])[0].endswith("; automation is paused")


def test_a_pause_without_an_end_says_so() -> None:
    paused = Paused("uid 0 (root)", "counting the money", BEGAN)
    assert plain(pauses.paused_lines(paused, BEGAN))[0].endswith("until somebody resumes: counting the money")


# --- superseding


def test_deploying_instead_of_what_runs_asks_until_it_started(served: Served) -> None:
    served.service.play(a_deployment())
    served.service.made = a_plan(
        supersedes="d-0", warnings=("this supersedes d-0: 1.0.5, in TESTING, is given up first",)
    )
    served.service.refusals = [
        DeploymentInProgress("superseding d-0, it is in TESTING", superseding=True),
        DeploymentInProgress("superseding d-0, it is in ABANDONING", superseding=True),
        DeploymentInProgress("superseding d-0, it is in ABANDONING", superseding=True),
    ]
    result = invoke(served, "deploy", "1.1.0", "-y", "--no-watch", "--supersede")
    assert result.exit_code == 0, result.output
    assert "! this supersedes d-0" in " ".join(result.stdout.split()) or "this supersedes d-0" in result.stdout
    assert result.stdout.count("▶ superseding d-0, it is in TESTING\n") == 1
    assert result.stdout.count("▶ superseding d-0, it is in ABANDONING\n") == 1
    asked = [call for call in served.service.calls if call[0] == "deploy"]
    assert len(asked) == 4
    assert {call[1].supersede for call in asked} == {True}
    assert len({call[3] for call in asked}) == 1, "the same idempotency key each time"


def test_who_leaves_before_it_started_is_told_that_it_was_not(served: Served) -> None:
    served.service.play(a_deployment())
    served.service.made = a_plan(supersedes="d-0")
    served.service.refusals = [DeploymentInProgress("superseding d-0, it is in RETIRING", superseding=True)] * 100
    result = invoke(served, "deploy", "1.1.0", "-y", "--supersede", "--timeout", "1s")
    assert result.exit_code == 124
    assert "d-0 is being ended all the same, and 1.1.0 was not started" in result.stderr
    assert "bluegreen deploy --plan p-1 --supersede" in result.stderr


def test_a_deployment_that_cannot_be_superseded_is_refused_at_once(served: Served) -> None:
    served.service.play(a_deployment())
    served.service.refusals = [DeploymentInProgress("d-0 is in WATCHING and cannot be superseded there", next=("x",))]
    result = invoke(served, "deploy", "--plan", "p-1", "-y", "--supersede")
    assert result.exit_code == 5
