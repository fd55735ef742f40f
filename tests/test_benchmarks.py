"""The benchmarks run, in a size that measures nothing, and print their tables. No time is asserted."""

import re
import shutil

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, main
from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.postgres import bin_directory

ON_REAL_CADDY = {"line_to_patch", "switch", "switch_routes", "switch_peak", "outage", "journal", "idle"}
ON_REAL_POSTGRES = {"migrations", "rehearsal"}


def run(*words: str) -> str:
    ran = CliRunner().invoke(main, ["--tiny", *words], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


def table_of(output: str) -> list[list[str]]:
    """The cells of the rows that stand between the title's line and the notes, the head of the table first."""
    rows = output.partition("\n---")[2].partition("\n* ")[0].splitlines()[1:]
    return [re.split(r" {3,}", row.strip()) for row in rows]


@pytest.mark.real
@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_runs_and_prints_its_table(name: str) -> None:
    try:
        if name in ON_REAL_CADDY:
            caddy_binary()
        if name in ON_REAL_POSTGRES:
            bin_directory(16)
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    if name == "switch_peak" and shutil.which("wrk") is None:
        pytest.skip("wrk is not installed: apt-get install wrk")
    output = run(name)
    assert f"\n{name}: " in output
    head, *rows = table_of(output)
    assert len(head) >= 2
    assert rows
    assert all(any(re.search(r"\d", cell) for cell in cells[1:]) for cells in rows), output


def test_the_simulation_prints_the_same_figures_again() -> None:
    assert table_of(run("detection")) == table_of(run("detection"))


def test_a_name_that_is_no_benchmark_is_refused_with_those_that_are() -> None:
    ran = CliRunner().invoke(main, ["line_to_path"])
    assert ran.exit_code == 2
    assert all(name in ran.output for name in BENCHMARKS)
