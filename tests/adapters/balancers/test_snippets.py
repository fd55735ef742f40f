"""The files a restarted Caddy reads: replaced as a whole, never made, never taken away."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.snippets import Snippets, line
from bluegreen.domain.errors import BalancerError
from bluegreen.domain.traffic import Colour
from tests.adapters.balancers.sites import HERA, KRATOS, SERVICES

BLUE, GREEN = Colour.BLUE, Colour.GREEN


def kept_in(directory: Path, colour: Colour = BLUE) -> Snippets:
    for service in SERVICES:
        (directory / f"{service.name}.caddy").write_text(line(service, colour))
    return Snippets(directory, SERVICES)


def test_a_snippet_is_one_line_with_every_dial() -> None:
    assert line(KRATOS, GREEN) == "to 127.0.0.1:18201 127.0.0.1:18202\n"
    assert line(replace(KRATOS, scheme="https"), GREEN) == "to https://127.0.0.1:18201 https://127.0.0.1:18202\n"


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    snippets.write(GREEN)
    assert snippets.read() is GREEN
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "kratos.caddy": line(KRATOS, GREEN),
        "hera.caddy": line(HERA, GREEN),
    }


@pytest.mark.parametrize("directory", [None, Path("/nonexistent/bluegreen")], ids=str)
def test_without_a_directory_there_is_none(directory: Path | None) -> None:
    snippets = Snippets(directory, SERVICES)
    snippets.write(GREEN)
    assert snippets.read() is None


def test_only_files_that_exist_are_kept(tmp_path: Path) -> None:
    (tmp_path / "hera.caddy").write_text(line(HERA, BLUE))
    snippets = Snippets(tmp_path, SERVICES)
    snippets.write(GREEN)
    assert snippets.read() is GREEN
    assert [path.name for path in tmp_path.iterdir()] == ["hera.caddy"]


def test_mode_and_owner_stay_whatever_our_umask(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    path = tmp_path / "hera.caddy"
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 54321, 54322)
    before = path.stat()
    umask = os.umask(0o077)
    try:
        snippets.write(GREEN)
    finally:
        os.umask(umask)
    after = path.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o664, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_file_that_is_right_already_is_not_replaced(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    before = (tmp_path / "hera.caddy").stat().st_ino
    snippets.write(BLUE)
    assert (tmp_path / "hera.caddy").stat().st_ino == before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "hera.caddy").rename(elsewhere / "hera")
    (tmp_path / "hera.caddy").symlink_to(elsewhere / "hera")
    snippets.write(GREEN)
    assert (tmp_path / "hera.caddy").is_symlink()
    assert (elsewhere / "hera").read_text() == line(HERA, GREEN)


def test_what_a_crash_left_is_taken_away(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    (tmp_path / ".hera.caddy.x7.partial").write_text("to 127.0")
    snippets.write(GREEN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hera.caddy", "kratos.caddy"]


def test_files_that_disagree_name_no_colour(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    (tmp_path / "hera.caddy").write_text(line(HERA, GREEN))
    with pytest.raises(BalancerError, match=r"different colours: .*kratos\.caddy blue, .*hera\.caddy green"):
        snippets.read()


@pytest.mark.parametrize(
    "text", ["", "to 127.0.0.1:9\n", "to 127.0.0.1:18301 127.0.0.1:18401\n", "\xff\x00", "reverse_proxy a:1 {\n"]
)
def test_a_file_that_names_neither_colour_is_an_error_with_what_should_stand_there(tmp_path: Path, text: str) -> None:
    snippets = kept_in(tmp_path)
    (tmp_path / "hera.caddy").write_bytes(text.encode("latin-1"))
    with pytest.raises(BalancerError, match=r"for blue it reads: to 127\.0\.0\.1:18301$"):
        snippets.read()
    snippets.write(GREEN)
    assert snippets.read() is GREEN


@pytest.mark.parametrize(
    "text", ["# ours\n\nto 127.0.0.1:18401\n", "to localhost:18401", "  to\t127.0.0.1:18401  \n", "to https://127.0.0.1:18401"]
)  # fmt: skip
def test_an_operators_way_of_writing_it_is_read(tmp_path: Path, text: str) -> None:
    snippets = kept_in(tmp_path, GREEN)
    (tmp_path / "hera.caddy").write_text(text)
    assert snippets.read() is GREEN


def test_a_file_that_cannot_be_replaced_is_named_and_the_others_are_written(tmp_path: Path) -> None:
    snippets = kept_in(tmp_path)
    target = tmp_path / ("k" * 250)  # its partial file would have too long a name: fails for root too
    (tmp_path / "kratos.caddy").rename(target)
    (tmp_path / "kratos.caddy").symlink_to(target)
    with pytest.raises(BalancerError, match="File name too long"):
        snippets.write(GREEN)
    assert (tmp_path / "hera.caddy").read_text() == line(HERA, GREEN)
    assert (tmp_path / "kratos.caddy").read_text() == line(KRATOS, BLUE)
