"""How a plan shows its release, and status what really runs: words beside glyphs, long texts folded, nothing obeyed."""

from datetime import timedelta

import click
import pytest

from bluegreen.domain.changelog import between
from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.plans import ComponentChange, Release
from bluegreen.domain.running import Difference, Running
from bluegreen.interfaces.models import Plan as PlanModel
from bluegreen.interfaces.render import plan_lines
from bluegreen.interfaces.reports import deployment_lines
from bluegreen.interfaces.running_lines import running_lines
from tests.domain.examples import GREEN, deployment, plan
from tests.virtual_time import EPOCH

A = f"sha256:{'a' * 64}"


def shown(text: str, *, undone: bool = False, left: int = 0) -> list[str]:
    lines = between(text, "1.0.0", "1.1.0").lines
    made = plan(changelog=lines, changelog_file="/srv/CHANGELOG.md", changelog_undone=undone, changelog_left=left)
    return [click.unstyle(line) for line in plan_lines(made, EPOCH)]


def test_marked_entries_bear_a_glyph_and_their_words() -> None:
    lines = shown("## 1.1.0\n### Removed\n- the old login\n### Added\n- a page\n- CVE-2026-1 is fixed\n")
    assert "  changelog      what is new: 2 of the entries marked" in lines
    assert "      ! [remove] - the old login" in lines
    assert "      ! [security] - CVE-2026-1 is fixed" in lines
    assert "        - a page" in lines


def test_a_long_changelog_is_folded_and_nothing_that_is_marked_is_hidden() -> None:
    entries = "".join(f"- entry {number}\n" for number in range(52))
    lines = shown(f"## 1.1.0\n{entries}### Far down\n- a breaking thing\n")
    assert "        - entry 11" in lines
    assert "        - entry 12" not in lines
    assert "      Far down" in lines
    assert "      ! [breaking] - a breaking thing" in lines
    assert "      ... 40 more lines: /srv/CHANGELOG.md" in lines


def test_what_is_given_up_is_said_to_be() -> None:
    assert any("what is given up again" in line for line in shown("## 1.1.0\n- x\n", undone=True))


def test_nothing_in_a_changelog_reaches_the_terminal_as_a_command() -> None:
    lines = shown("## 1.1.0\n- breaking \x1b[2J\x07 \u202e evil\n")
    assert not any(character in "\n".join(lines) for character in "\x1b\x07\u202e")


def test_images_components_and_the_last_migrations_are_shown() -> None:
    release = Release("1.1.0", images={"web": "app:1.1.0"}, migrations={"app": "0007_email"})
    changes = (ComponentChange("id", "26.1", "26.2"), ComponentChange("web", "1", "1"), ComponentChange("x", "3", ""))
    lines = [click.unstyle(line) for line in plan_lines(plan(release=release, components=changes), EPOCH)]
    for line in (
        "  images         web app:1.1.0",
        "  components     id 26.1 -> 26.2",
        "                 web 1",
        "                 x 3 -> no more",
        "  migrations     app up to 0007_email",
    ):
        assert line in lines


def test_the_json_of_a_plan_has_each_line_with_its_marks_and_no_variable() -> None:
    lines = between("## 1.1.0\n- breaking\n", "1.0.0", "1.1.0").lines
    body = PlanModel.model_validate(plan(changelog=lines)).model_dump(mode="json")
    assert body["changelog"] == [{"version": "1.1.0", "line": "- breaking", "marks": ["breaking"], "heading": False}]
    assert "variables" not in body["release"]


# --- what really runs

WEB = Part("web", PartState.RUNNING, "app:1.1.0", A, EPOCH, "healthy")
NOW = EPOCH + timedelta(hours=3)


def lines_of(running: Running, *, verbose: bool = False) -> list[str]:
    return [click.unstyle(line) for line in running_lines({GREEN: running}, NOW, verbose=verbose)]


def test_a_colour_is_one_line_and_a_part_one_more_where_somebody_asks() -> None:
    running = Running("1.1.0", (WEB, Part("db", PartState.FAILED, detail="exit code 1")), EPOCH)
    assert lines_of(running) == ["  runs        green: 1.1.0, 1 failed, 1 running, seen 3h ago"]
    detailed = lines_of(running, verbose=True)
    assert any(line.startswith("    ✔ web  running (healthy) since ") for line in detailed)
    assert any(line.endswith("app:1.1.0 sha256:aaaaaaaaaaaa") for line in detailed)
    assert "    ✖ db  failed: exit code 1" in detailed


def test_what_drifted_and_what_nobody_knows_is_said_in_words() -> None:
    difference = Difference("web", "web stopped", "web is stopped")
    assert "  ! drifted   green: web is stopped" in lines_of(Running("1.1.0", (WEB,), EPOCH, EPOCH, (difference,)))
    (line,) = lines_of(Running("1.1.0", (WEB,), EPOCH, unknown="ssh: no route", since=EPOCH))
    assert line.endswith(": ssh: no route")
    assert "unknown since" in line


def test_a_deployment_shows_what_really_ran() -> None:
    kept = [{"name": "web", "state": "running", "image": "app:1.1.0", "digest": A, "started_at": EPOCH.isoformat()}]
    lines = [click.unstyle(line) for line in deployment_lines(deployment(facts={"runs": kept}), [])]
    assert "  ran         on green, when it was ready" in lines
    assert any("app:1.1.0 sha256:aaaaaaaaaaaa" in line for line in lines)


@pytest.mark.parametrize("kept", [None, "x", [{"name": 3}], [{"state": "odd"}]])
def test_what_another_program_kept_hurts_nobody(kept: object) -> None:
    assert deployment_lines(deployment(facts={"runs": kept}), [])
