"""An error must point at the right line, whatever TOML allows."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.settings.places import Keys, Places, nearest

EXAMPLE = Path(__file__).parents[2] / "config" / "bluegreen.example.toml"

ODD = '''\
# a comment with [a.table] and key = "value"
first = 1 # and another = 2
"quoted key" = 'a # in a literal'
a.b . "c.d" = 3
text = """
[not.a.table]
key = "not a key"
ends with a quotation mark""""
raw = \'\'\'
[[nor]]
this\'\'\'
list = [ # comment ]
  "one, two",
  [3, 4], # nested
  { x = 1, y = { z = "}" } },
  1979-05-27T07:32:00Z,
]
empty = []
nothing = {}
inline = { p = [1, { q = 2 }], r.s = 5 }
escaped = "a \\" quotation mark ]"

[ table . "sub table" ]
key = 0x1F

[[array]]
name = "first"
[array.inner]
deep = true
[[array.more]]
n = 1
[[array.more]]
n = 2

[[array]]
name = "second"
[array.inner]
deep = false
[table]
late = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("first",), 2),
        (("quoted key",), 3),
        (("a",), 4),
        (("a", "b", "c.d"), 4),
        (("text",), 5),
        (("raw",), 9),
        (("list",), 12),
        (("list", 0), 13),
        (("list", 1, 1), 14),
        (("list", 2, "y", "z"), 15),
        (("list", 3), 16),
        (("empty",), 18),
        (("nothing",), 19),
        (("inline", "p", 1, "q"), 20),
        (("inline", "r", "s"), 20),
        (("escaped",), 21),
        (("table", "sub table"), 23),
        (("table", "sub table", "key"), 24),
        (("array",), 26),
        (("array", 0), 26),
        (("array", 0, "name"), 27),
        (("array", 0, "inner", "deep"), 29),
        (("array", 0, "more", 0, "n"), 31),
        (("array", 0, "more", 1, "n"), 33),
        (("array", 1), 35),
        (("array", 1, "name"), 36),
        (("array", 1, "inner", "deep"), 38),
        (("table", "late"), 40),
    ],
)
def test_the_line_of_a_key_is_found_in_whatever_toml_allows(path: Keys, line: int) -> None:
    assert Places(ODD).line(path) == line


def test_what_is_not_in_the_file_is_at_the_nearest_table_around_it() -> None:
    places = Places(ODD)
    assert places.line(("array", 1, "missing", "key")) == 35
    assert places.line(("nowhere", "at all")) is None
    assert ("array", 1, "name") in places
    assert ("array", 1, "missing") not in places


@pytest.mark.parametrize(
    "text", [ODD, ODD.replace("\n", "\r\n"), EXAMPLE.read_text()], ids=["odd", "odd crlf", "example"]
)
def test_every_key_that_tomllib_reads_has_a_line_and_stands_in_it(text: str) -> None:
    places, lines = Places(text), text.split("\n")
    found = list(_paths(tomllib.loads(text)))
    assert len(found) > 30
    for path in found:
        line = places.line(path)
        assert path in places
        assert line is not None
        key = next(part for part in reversed(path) if isinstance(part, str))
        assert isinstance(path[-1], int) or key in lines[line - 1], (path, lines[line - 1])


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "a=1", "a=[[],[{}]]", "[a]", "[[a]]\n[[a]]"])
def test_a_short_file_is_read_to_its_end(text: str) -> None:
    places = Places(text)
    assert all(path in places for path in _paths(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("word", "expected"),
    [("windw", "window"), ("WINDOW", "window"), ("stand_by", "standby"), ("stand-by", "standby"), ("colour", None)],
)
def test_the_nearest_known_word_is_found_or_none(word: str, expected: str | None) -> None:
    assert nearest(word, ["window", "standby", "on_blind"]) == expected


def _paths(value: Any, path: Keys = ()) -> Iterator[Keys]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))
