"""Files of NAME=value lines mean here what they mean to docker compose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.env_text import EnvUnreadable, read_env

READ = {
    "plain": ("A=1\n", {"A": "1"}),
    "no newline at the end": ("A=1", {"A": "1"}),
    "byte order mark and CRLF": ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    "export": ("export A=1", {"A": "1"}),
    "a name that begins with export": ("exportA=1", {"exportA": "1"}),
    "the name export": ("export=1", {"export": "1"}),
    "blanks around": (" A = x y ", {"A": "x y"}),
    "as in YAML": ("A: y", {"A": "y"}),
    "empty": ("A=\nB=2", {"A": "", "B": "2"}),
    "comments": ("#A=1\n  # B\nC=3", {"C": "3"}),
    "a comment behind": ("A=x # c", {"A": "x"}),
    "a comment needs a space": ("A=x#c", {"A": "x#c"}),
    "a comment needs something before it": ("A= # c", {"A": "# c"}),
    "a comment behind quotes": ('A="x" # c', {"A": "x"}),
    "a hash in quotes": ("A='x # c'", {"A": "x # c"}),
    "equals in the value": ("A==b", {"A": "=b"}),
    "quotes within": ('A=it\'s\nB=a"b"c', {"A": "it's", "B": 'a"b"c'}),
    "double quotes": ('A="x\\ty"', {"A": "x\ty"}),
    "single quotes": ("A='x\\ty'", {"A": "x\\ty"}),
    "an escaped double quote": ('A="a\\"b"', {"A": 'a"b'}),
    "an escaped single quote": ("A='a\\'b'", {"A": "a'b"}),
    "a backslash at the end": ("A=\"a\\\\\"\nB='a\\\\'", {"A": "a\\", "B": "a\\\\"}),
    "an unknown escape": ('A="\\q\\n"', {"A": "\\q\n"}),
    "octal": ('A="\\0123"', {"A": "S"}),
    "over several lines": ("A=\"l1\nl2\"\nB='l3\nl4'\nC=5", {"A": "l1\nl2", "B": "l3\nl4", "C": "5"}),
    "nothing is filled in": ('A=${B}\nC="${B:-x}"', {"A": "${B}", "C": "${B:-x}"}),
    "the latter of two": ("A=1\nA=2", {"A": "2"}),
    "dots, dashes, brackets": ("A.b-c[0]=1", {"A.b-c[0]": "1"}),
    "letters of others": ("é=1", {"é": "1"}),
    "nothing": ("", {}),
}
"""Measured with docker compose 2.26 (`docker compose config` of a service with env_file)."""


@pytest.mark.parametrize(("text", "values"), READ.values(), ids=READ.keys())
def test_a_file_is_read_as_docker_compose_reads_it(text: str, values: dict[str, str]) -> None:
    assert read_env(text).values == values


def test_a_name_without_a_value_takes_it_from_elsewhere() -> None:
    found = read_env("A\nexport B\nC=1\nD # asked for at the desk")
    assert found.bare == frozenset({"A", "B", "D"})
    assert found.values == {"C": "1"}
    assert found.names == frozenset({"A", "B", "C", "D"})


def test_the_latter_of_a_bare_name_and_a_value_counts() -> None:
    assert read_env("A=1\nA").values == {}
    assert read_env("A\nA=1").bare == frozenset()


WRONG = {
    "no name": ("A=1\n=hunter2", "line 2"),
    "words": ("hunter2 is=the password", "line 1"),
    "an open quote": ('A=1\nB="hunter2\nC=3\n', "line 2: a quoted value does not end"),
    "a sign in a name": ("A$hunter2=1", "line 1"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_read_says_the_line_and_no_value(text: str, said: str) -> None:
    with pytest.raises(EnvUnreadable) as caught:
        read_env(text)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_values_are_in_no_repr() -> None:
    assert "hunter2" not in repr(read_env("PASSWORD=hunter2"))


@given(st.text(alphabet="AB=#'\"\\ \n\r\t$:x", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_env(text)
    except EnvUnreadable as exc:
        assert str(exc).startswith("line ")  # noqa: PT017 - both ends are fine, nothing else is


@given(st.text(max_size=80).filter(lambda value: "\r" not in value and "\x00" not in value))
def test_a_single_quoted_value_comes_back(value: str) -> None:
    plain = value.replace("\\", "").replace("'", "")
    assert read_env(f"A='{plain}'").values == {"A": plain}
