"""The Variables port: one suite over files and memory, and what only files have: the key, other hosts, odd files."""

import asyncio
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bluegreen.adapters.variables.files import MOST, FileVariables, Place
from bluegreen.adapters.variables.fingerprints import KEY_SIZE, Fingerprints, key_in
from bluegreen.adapters.variables.memory import MemoryVariables
from bluegreen.domain.errors import VariablesUnreadable
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import Rules
from bluegreen.hosts import Here, HostUnreachable
from bluegreen.ports_stack import Variables

BLUE, GREEN = Colour
Given = Callable[..., Variables]


@pytest.fixture(params=["files", "memory"])
def given(request: pytest.FixtureRequest, tmp_path: Path) -> Given:
    """Variables as each adapter has them, made of the texts of the files; None: the file cannot be read."""

    def in_memory(**texts: str | None) -> Variables:
        known = {Colour(colour): text for colour, text in texts.items() if text is not None}
        return MemoryVariables(known, unreadable={Colour(c) for c, text in texts.items() if text is None})

    def in_files(**texts: str | None) -> Variables:
        for colour, text in texts.items():
            if text is not None:
                (tmp_path / f".env.{colour}").write_text(text)
        places = {Colour(colour): Place(Here(), (tmp_path / f".env.{colour}",)) for colour in texts}
        return FileVariables(places, Rules(), tmp_path / "variables.key")

    return in_files if request.param == "files" else in_memory


async def test_equal_values_have_equal_fingerprints_in_both_colours(given: Given) -> None:
    variables = given(blue="A=one\nB=two\nC=\n", green="A='one'\nB=three\n")
    blue, green = await variables.of(BLUE), await variables.of(GREEN)
    assert blue is not None
    assert green is not None
    assert blue["A"] == green["A"]
    assert blue["B"] != green["B"]
    assert blue["C"].empty
    assert blue.keys() == {"A", "B", "C"}


async def test_the_variables_of_a_release_count_over_the_files(given: Given) -> None:
    variables = given(blue="A=one\nB=two\n", green="A=two\n")
    green = await variables.of(GREEN, Release("1.2.0", {"A": "one", "D": "x"}))
    blue = await variables.of(BLUE)
    assert green is not None
    assert blue is not None
    assert green["A"] == blue["A"]
    assert green.keys() == {"A", "D"}


async def test_where_nothing_is_configured_there_is_nothing(given: Given) -> None:
    assert await given(blue="A=1").of(GREEN) is None


async def test_what_cannot_be_read_is_said(given: Given) -> None:
    with pytest.raises(VariablesUnreadable) as caught:
        await given(blue=None).of(BLUE)
    assert ".env.blue does not exist" in caught.value.detail
    assert caught.value.next


async def test_a_file_that_is_none_says_the_line_and_no_value(given: Given) -> None:
    with pytest.raises(VariablesUnreadable) as caught:
        await given(blue='A=1\nPASSWORD="hunter2').of(BLUE)
    assert "line 2" in caught.value.detail
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


async def test_an_example_has_its_bare_names_too(given: Given) -> None:
    found = await given(blue="A=1").example("A=1\nB\n# C=1\n")
    assert found.keys() == {"A", "B"}
    assert found["B"].empty
    with pytest.raises(VariablesUnreadable):
        await given(blue="A=1").example("a b c")


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "variables.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(key_in, [file] * 20))
    assert len(set(keys)) == 1
    assert len(keys[0]) == KEY_SIZE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert key_in(file) == keys[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["variables.key"]


def test_a_key_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "variables.key"
    file.write_bytes(b"short")
    assert len(key_in(file)) == KEY_SIZE


def test_a_key_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(VariablesUnreadable, match="the key of the fingerprints cannot be read or made"):
        key_in(tmp_path / "missing" / "variables.key")


def test_without_the_key_nobody_can_try_a_value_out() -> None:
    one, other = Fingerprints(b"1" * 32).of("hunter2"), Fingerprints(b"2" * 32).of("hunter2")
    assert one.whole != other.whole
    assert one.parts != other.parts
    assert one.whole not in one.parts
    assert "hunter2" not in repr(one)


DATABASES = {
    "a URL": ("postgres://u:p@h/d?application_name=blue&sslmode=require", "postgres://u:p@h/d?sslmode=require"),
    "another scheme": ("postgresql+asyncpg://u:p@h/d?application_name=b", "postgresql+asyncpg://u:p@h/d"),
    "JDBC": ("jdbc:postgresql://h/d?ApplicationName=blue", "jdbc:postgresql://h/d"),
    "keywords": ("host=h dbname=d application_name='blue 1' user=u", "host=h dbname=d user=u"),
    "Npgsql": ("Host=h;Database=d;Application Name=blue;Username=u", "Host=h;Database=d;Username=u"),
}


@pytest.mark.parametrize(("named", "plain"), DATABASES.values(), ids=DATABASES.keys())
def test_the_application_name_is_no_part_of_which_database_it_is(named: str, plain: str) -> None:
    taken = Fingerprints(b"k" * 32)
    assert taken.of(named).core == taken.of(plain).core != ""
    assert taken.of(named).whole != taken.of(plain).whole
    assert taken.of(named.replace("=d", "=e").replace("h/d", "h/e")).core != taken.of(plain).core


@pytest.mark.parametrize("value", ["", "plain", "https://h/d?application_name=x", "postgres://[", "a=b c=d"])
def test_what_is_no_database_has_no_core(value: str) -> None:
    assert Fingerprints(b"k" * 32).of(value).core == ""


def files(tmp_path: Path, *texts: bytes, host: Here | None = None, timeout: float = 15.0) -> FileVariables:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.env")
        paths[-1].write_bytes(text)
    return FileVariables(
        {BLUE: Place(host or Here(), tuple(paths))}, Rules(), tmp_path / "variables.key", timeout=timeout
    )


async def test_later_files_count_over_earlier_ones(tmp_path: Path) -> None:
    found = await files(tmp_path, b"A=1\nB=1\n", b"B=2\nC=2\nA\n").of(BLUE)
    assert found is not None
    taken = Fingerprints(key_in(tmp_path / "variables.key"))
    assert {name: each.whole for name, each in found.items()} == {
        "A": taken.of("1").whole,
        "B": taken.of("2").whole,
        "C": taken.of("2").whole,
    }


ODD = {
    "no text": (b"A=\xff\xfehunter2", "byte 2 is not UTF-8"),
    "too long": (b"#" * (1 << 20) + b"\n", "is longer than"),
    "a long name": (b"A" * 201 + b"=1", "a name of more than 200 characters"),
    "too many": (b"".join(b"A%d=1\n" % number for number in range(MOST + 1)), f"more than {MOST} variables"),
}


@pytest.mark.parametrize(("text", "said"), ODD.values(), ids=ODD.keys())
async def test_an_odd_file_is_said(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(VariablesUnreadable) as caught:
        await files(tmp_path, text).of(BLUE)
    assert said in caught.value.detail
    assert str(tmp_path / "0.env") in caught.value.detail
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


async def test_a_pipe_in_place_of_a_file_is_said_at_once_and_keeps_no_thread(tmp_path: Path) -> None:
    given = files(tmp_path, b"A=1")
    (tmp_path / "0.env").unlink()
    os.mkfifo(tmp_path / "0.env")
    with pytest.raises(VariablesUnreadable, match=r"0\.env is not a regular file"):
        await given.of(BLUE)


class Elsewhere(Here):
    """A machine that cannot be reached, or does not answer."""

    name = "deploy@green-host"

    def __init__(self, *, hangs: bool = False) -> None:
        self._hangs = hangs

    async def read(self, path: Path, *, limit: int = 1024 * 1024) -> bytes:
        if self._hangs:
            await asyncio.Event().wait()
        raise HostUnreachable("deploy@green-host does not answer")


async def test_a_machine_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    with pytest.raises(VariablesUnreadable, match=r"0\.env on deploy@green-host: deploy@green-host does not answer"):
        await files(tmp_path, b"A=1", host=Elsewhere()).of(BLUE)


async def test_a_machine_that_hangs_costs_its_time_and_no_more(tmp_path: Path) -> None:
    with pytest.raises(VariablesUnreadable, match=r"0\.env on deploy@green-host\) could not be read in 0\.05 s"):
        await files(tmp_path, b"A=1", host=Elsewhere(hangs=True), timeout=0.05).of(BLUE)
