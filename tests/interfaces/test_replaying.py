"""`bluegreen replay`: files of samples judged without a daemon, and what a daemon recorded, judged again."""

import json
import random
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from bluegreen.__main__ import bluegreen
from bluegreen.app.baseline import Baseline
from bluegreen.app.recorder import Recorder
from bluegreen.app.samples import Sample
from bluegreen.app.trial import Trial
from bluegreen.domain.signals import Counted
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.recordings import line_of
from tests.domain.examples import terms
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import a_deployment

LAX = '[watch]\nwindow = "10m"\n[watch.advanced]\nmin_bad = 100000\n'


def replay(*words: str | Path, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(bluegreen, ["replay", *map(str, words)], input=stdin, env=env)


def judged(*words: str | Path, stdin: str | None = None) -> Any:
    result = replay(*words, "-o", "json", stdin=stdin)
    assert result.exit_code == Exit.DONE, result.output
    return json.loads(result.output)


def stream(good_s: float, then_s: float, share: float, *, rate: float = 20, side: float = 0.0, seed: int = 1) -> str:
    """Samples of blue, and from `good_s` on of green, of which `share` fail; with `side` blue goes on with that part of
    the users, and fails as often."""
    rng, lines, t = random.Random(seed), [], 0.0
    while t < good_s + then_s:
        t += rng.expovariate(rate)
        after = t >= good_s
        new = after and rng.random() >= side
        bad = rng.random() < (share if after else 0.001)
        lines.append({"t": round(t, 3), "colour": "green" if new else "blue", "signal": "5xx", "bad": int(bad)})
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    file = tmp_path / "worse.jsonl"
    file.write_text(stream(900, 300, 0.05))
    return file


def test_a_release_that_is_worse_is_cut_with_its_moment_reason_and_what_users_got(worse: Path) -> None:
    found = judged(worse)
    cut = found["regressed"]
    assert [each["verdict"] for each in found["verdicts"]] == ["undecided", "regressed"]
    assert (found["old"], found["new"], found["side_by_side"]) == ("blue", "green", False)
    assert cut["reason"].startswith("5xx ")
    assert cut["bad"] <= 12
    samples = [json.loads(line) for line in worse.read_text().splitlines()]
    until = [s["bad"] for s in samples if s["colour"] == "green" and s["t"] <= cut["t"]]
    assert (sum(until), len(until)) == (cut["bad"], cut["n"])
    assert until[-1] == 1, "the moment is that of a bad response"


def test_people_read_when_and_why(worse: Path) -> None:
    output = replay(worse).output
    assert "regressed at t=" in output
    assert "bad responses of" in output
    assert "by green until then" in output
    assert "it would have been cut back" in output


def test_a_release_that_is_no_worse_becomes_healthy_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "good.jsonl"
    file.write_text(stream(900, 600, 0.001))
    found = judged(file)
    assert [each["verdict"] for each in found["verdicts"]] == ["undecided", "healthy"]
    assert found["regressed"] is None


def test_what_fails_on_both_colours_of_a_canary_is_not_blamed_on_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "shared.jsonl"
    file.write_text(stream(900, 300, 0.3, side=0.8))
    found = judged(file)
    assert found["side_by_side"] is True
    assert found["regressed"] is None


def test_another_configuration_judges_otherwise(worse: Path, tmp_path: Path) -> None:
    lax = tmp_path / "lax.toml"
    lax.write_text(LAX)
    assert judged(worse, "--config", lax)["regressed"] is None


def test_a_whole_configuration_will_do_too(worse: Path) -> None:
    example = Path(__file__).parent.parent.parent / "config" / "bluegreen.example.toml"
    result = replay(worse, "--config", example, "-o", "json")
    assert result.exit_code in (Exit.DONE, Exit.CONFIGURATION)  # the example names what this machine need not have
    assert "Traceback" not in result.output


def test_a_configuration_that_is_wrong_is_told_with_its_line(worse: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[watch]\nwindw = "10m"\n')
    result = replay(worse, "--config", wrong)
    assert result.exit_code == Exit.CONFIGURATION
    assert "wrong.toml:2" in result.output
    assert 'did you mean "window"?' in result.output


def test_standard_input_is_read_like_a_file(worse: Path) -> None:
    assert judged("-", stdin=worse.read_text()) == judged(worse)


def test_samples_that_are_not_in_order_are_judged_in_the_order_of_time(worse: Path, tmp_path: Path) -> None:
    lines = worse.read_text().splitlines()
    random.Random(3).shuffle(lines)
    shuffled = tmp_path / "shuffled.jsonl"
    shuffled.write_text("\n".join(lines))
    assert judged(shuffled)["regressed"] == judged(worse)["regressed"]


def test_any_origin_of_time_comes_out_the_same(worse: Path, tmp_path: Path) -> None:
    samples = [json.loads(line) for line in worse.read_text().splitlines()]
    later = tmp_path / "epoch.jsonl"
    later.write_text("".join(json.dumps({**s, "t": round(s["t"] + 1_700_000_000, 3)}) + "\n" for s in samples))
    assert judged(later)["regressed"]["after"] == pytest.approx(judged(worse)["regressed"]["after"], abs=0.11)


def test_signals_that_nobody_configured_count_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(stream(900, 300, 0.2).replace('"5xx"', '"checkout"'))
    assert judged(file)["regressed"]["reason"].startswith("checkout ")


def test_one_client_that_hammers_is_no_crowd(tmp_path: Path) -> None:
    rng, lines = random.Random(5), []
    for second in range(1500):
        colour = "green" if second >= 900 else "blue"
        lines += [{"t": second, "colour": colour, "signal": "5xx", "client": f"c{rng.randrange(500)}"}] * 20
        if second > 960:
            lines += [{"t": second, "colour": colour, "signal": "5xx", "bad": 1, "client": "hammer"}] * 5
    file = tmp_path / "hammer.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert judged(file)["regressed"] is None


def test_a_gauge_is_judged_against_the_range_it_had(tmp_path: Path) -> None:
    lines = [{"t": t, "colour": "blue", "signal": "queue", "value": 10 + t % 7} for t in range(900)]
    lines += [{"t": 900 + t, "colour": "green", "signal": "queue", "value": 90.0} for t in range(60)]
    file = tmp_path / "gauge.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert judged(file)["regressed"]["reason"].startswith("queue ")


def test_only_one_colour_says_how_to_judge_it_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"t": 1, "colour": "green", "signal": "5xx", "bad": 1}\n' * 10)
    refused = replay(file)
    assert refused.exit_code == Exit.ERROR
    assert "only green's samples: nothing was switched" in refused.output
    assert "--new green" in refused.output
    assert judged(file, "--new", "green")["regressed"] is not None


def test_the_moment_of_the_switch_may_be_said(worse: Path) -> None:
    found = judged(worse, "--new", "green", "--switched-at", "1000")
    assert found["switched_at"] == 1000
    assert found["regressed"]["t"] > 1000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: no JSON object"),
        ("[1]", "line 2: Expected `object`"),
        ('{"t": 1, "colour": "blue"}', "line 2: Object missing required field `signal`"),
        ('{"t": 1, "colour": "blue", "signal": "5xx", "n": 1, "bad": 2}', "line 2: 2 bad in 1 events is not a count"),
        ('{"t": 1, "colour": "blue", "signal": "5xx", "n": -1}', "line 2: 0 bad in -1 events"),
        ('{"t": 1700000000000, "colour": "blue", "signal": "5xx"}', "looks like milliseconds"),
        ('{"t": 1e999, "colour": "blue", "signal": "5xx"}', "line 2: "),
        ('{"t": 1, "colour": "", "signal": "5xx"}', "line 2: colour and signal must not be empty"),
        ('{"t": 1, "colour": "blue", "signal": "5xx", "client": {}}', "line 2: Expected"),
        ('{"t": 1, "colour": "blue", "signal": "5xx", "asked": [1]}', "line 2: "),
        ('{"t": 2, "colour": "red", "signal": "5xx"}\n{"t": 3, "colour": "green", "signal": "5xx"}', "a third colour"),
    ],
)
def test_a_line_that_is_no_sample_is_named_with_its_number(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"t": 0, "colour": "blue", "signal": "5xx"}\n' + line + "\n")
    result = replay(file)
    assert result.exit_code == Exit.ERROR
    assert said in result.output
    assert "next: " in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", b"\x00" * 100])
def test_what_is_no_text_at_all_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_bytes(content)
    result = replay(file)
    assert result.exit_code == Exit.ERROR
    assert "✖" in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_samples_says_how_one_is_written(tmp_path: Path, content: str) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text(content)
    result = replay(file)
    assert "has no samples: nothing can be judged" in result.output
    assert '{"t": 12.5, "colour": "green"' in result.output
    assert "--new" not in result.output


@pytest.mark.parametrize("moment", ["nan", "inf", "1e308", "-1e308"])
def test_a_switch_at_no_moment_is_refused(worse: Path, moment: str) -> None:
    result = replay(worse, "--new", "green", "--switched-at", moment)
    assert result.exit_code == Exit.USAGE
    assert "--switched-at is no number of seconds" in result.output


def test_an_empty_name_is_no_file() -> None:
    result = replay("")
    assert "nothing is neither a file nor a deployment" in result.output
    assert "next: bluegreen history" in result.output


def test_neither_a_file_nor_a_deployment_is_told(tmp_path: Path) -> None:
    result = replay(tmp_path / "nothing.jsonl")
    assert result.exit_code == Exit.ERROR
    assert "is neither a file nor a deployment" in result.output


def test_a_directory_is_told(tmp_path: Path) -> None:
    result = replay(tmp_path)
    assert result.exit_code == Exit.ERROR
    assert "cannot be read" in result.output


# --- with a daemon


def recorded() -> list[Sample]:
    """A trial that goes wrong after 10 s, as a daemon records it."""

    baseline = Baseline()
    for second in range(900):
        baseline.learn(Counted("access_log", "5xx", Colour.BLUE, 50, int(second % 20 == 0)), 1e9 + second)
    trial = Trial.of(terms(), baseline)
    recorder = Recorder.of(Colour.GREEN, 1e9 + 900, baseline, trial)
    for tick in range(150):
        batch = Counted("access_log", "5xx", Colour.GREEN, 5, int(tick > 100))
        recorder.take(batch, trial, new=True)
        trial.observe(batch)
        recorder.drained()
        trial.tick(0.1)
    recorder.cut()
    found = [sample for _, rows in sorted(recorder.pending.items()) for sample in rows]
    told = {"deployment": "d-1", "terms": msgspec.to_builtins(changed(terms(), deadlines={}))}
    found[0].about = {**(found[0].about or {}), **told}
    return found


def test_what_a_daemon_recorded_is_judged_by_its_id_and_exported_and_comes_out_the_same(
    served: Served, tmp_path: Path
) -> None:
    served.service.current = a_deployment()
    served.service.recorded = recorded()
    env = {"BLUEGREEN_SOCKET": str(served.path)}
    id = served.service.current.id
    by_id = replay(id, "-o", "json", env=env)
    assert by_id.exit_code == Exit.DONE, by_id.output
    file = tmp_path / "exported.jsonl"
    file.write_bytes(replay(id, "--export", env=env).stdout_bytes)
    found = json.loads(by_id.output)
    assert found["regressed"]["after"] == pytest.approx(10.3, abs=0.5)
    assert judged(file) == found
    lax = tmp_path / "lax.toml"
    lax.write_text(LAX)
    assert judged(file, "--config", lax)["regressed"] is None


def test_a_recording_of_another_program_is_told(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"t": 1, "colour": "green", "signal": "5xx", "n": 0, "about": {"terms": 7}}\n')
    result = replay(file)
    assert result.exit_code == Exit.ERROR
    assert "was recorded by another program" in result.output


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"terms": {"alpha": 0.0}}, "cannot be judged as it says of itself: alpha 0.0"),
        ({"terms": {"alpha": 1e-320}}, "cannot be judged as it says of itself"),
        ({"terms": {"window": -5.0}}, "cannot be judged as it says of itself: window_s"),
        ({"slow": [5, 9]}, "cannot be judged as it says of itself: a history of 9 bad in 5 events"),
        ({"switched_at": 1e300}, "it was switched at 1e+300, which is no moment"),
    ],
)
def test_a_recording_that_was_changed_by_hand_is_refused_in_words(
    tmp_path: Path, told: dict[str, Any], says: str
) -> None:
    samples = recorded()
    about = samples[0].about or {}
    terms_told = {**about["terms"], **told.get("terms", {})}
    samples[0].about = {**about, **told, "terms": terms_told}
    file = tmp_path / "changed.jsonl"
    file.write_bytes(b"".join(line_of(sample) for sample in samples))
    result = replay(file)
    assert result.exit_code == Exit.ERROR
    assert says in result.output
    assert "next: bluegreen" in result.output


def test_a_deployment_that_there_is_not_is_told(served: Served) -> None:
    result = replay("d-9", env={"BLUEGREEN_SOCKET": str(served.path)})
    assert result.exit_code == Exit.ERROR
    assert "there is no deployment d-9" in result.output
