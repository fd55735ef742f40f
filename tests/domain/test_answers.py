"""What is expected of an answer, and what is said of one that is not as expected."""

import json
import re
from collections.abc import Mapping

import pytest

from bluegreen.domain.answers import Expectations, Place, Reply

JSON = Reply(
    200,
    {"content-type": "application/json; charset=utf-8", "x-version": " 1.2.0 ", "set-cookie": "session=s3cret"},
    json.dumps({"version": "1.2.0", "checks": {"db": "up", "a/b": 1, "m~n": 2}, "list": [1, {"x": None}], "ok": True,
                "token": "s3cret", "n": 1}).encode(),
)  # fmt: skip
PAGE = Reply(200, {}, b"<h1>Sign in</h1>\n<!-- release 1.2.0 -->")


@pytest.mark.parametrize(
    ("expected", "reply"),
    [
        (Expectations(), JSON),
        (Expectations(status=frozenset({200, 204})), JSON),
        (Expectations(status=(401,)), Reply(401, {}, b"")),
        (Expectations(header={"Content-Type": "application/json", "X-VERSION": ""}), JSON),
        (Expectations(body="Sign in"), PAGE),
        (Expectations(body=re.compile(r"^<h1>.*</h1>$", re.MULTILINE)), PAGE),
        (Expectations(json={"/version": "1.2.0", "/checks/db": "up", "/checks/a~1b": 1, "/checks/m~0n": 2}), JSON),
        (Expectations(json={"/list/0": 1, "/list/1/x": None, "/list/1": {"x": None}, "/ok": True}), JSON),
        (Expectations(json={"": [1, 2]}), Reply(200, {}, b"[1, 2]")),
        (Expectations(version=Place("json", "/version")), JSON),
        (Expectations(version=Place("header", "X-Version")), JSON),
        (Expectations(version=Place("body", r"release (\S+)")), PAGE),
        (Expectations(version=Place("body", r"\d+\.\d+\.\d+")), PAGE),
        (Expectations(version=Place("body", "")), Reply(200, {}, b"1.2.0\n")),
    ],
    ids=str,
)
def test_an_answer_as_expected_is_no_complaint(expected: Expectations, reply: Reply) -> None:
    assert expected.complaint(reply, "1.2.0") == ""


@pytest.mark.parametrize(
    ("expected", "reply", "complaint"),
    [
        (
            Expectations(), Reply(503, {}, b"database \x1b[31mdown"),
            r"expected status 200-299, got 503: 'database \x1b[31mdown'",
        ),
        (Expectations(status=(200, 204)), Reply(302, {}, b" "), "expected status 200 or 204, got 302 an empty body"),
        (Expectations(header={"X-Absent": ""}), JSON, "expected header X-Absent, got none"),
        (
            Expectations(header={"Content-Type": "text/html"}), JSON,
            "expected header Content-Type to contain 'text/html', got 'application/json; charset=utf-8'",
        ),
        (
            Expectations(header={"Set-Cookie": "Secure"}), JSON,
            "expected header Set-Cookie to contain (hidden), got (hidden)",
        ),
        (
            Expectations(body="Sign out"), Reply(200, {}, b"x" * 500),
            f"expected a body with 'Sign out', got: '{'x' * 120}...'",
        ),
        (
            Expectations(body=re.compile("out")), Reply(200, {}, b""),
            "expected a body that matches 'out', got an empty body",
        ),
        (Expectations(json={"/checks/db": "down"}), JSON, 'expected "down" at /checks/db, got "up"'),
        (Expectations(json={"/n": True}), JSON, "expected true at /n, got 1"),
        (Expectations(json={"/ok": 1}), JSON, "expected 1 at /ok, got true"),
        (Expectations(json={"/none": 1}), JSON, "expected 1 at /none, but there is nothing at /none"),
        (Expectations(json={"/list/-1": 1}), JSON, "expected 1 at /list/-1, but there is nothing at /list/-1"),
        (Expectations(json={"/list/2": 1}), JSON, "expected 1 at /list/2, but there is nothing at /list/2"),
        (Expectations(json={"/version/x": 1}), JSON, "expected 1 at /version/x, but there is nothing at /version/x"),
        (
            Expectations(json={"version": 1}), JSON,
            """expected 1 at version, but that is no JSON pointer: it must begin with "/\"""",
        ),
        (Expectations(json={"/token": "x"}), JSON, "expected (hidden) at /token, got (hidden)"),
        (Expectations(json={"/a": 1}), PAGE, "expected 1 at /a, but the body is not JSON"),
        (Expectations(json={"/a": 1}), Reply(200, {}, b"[" * 100_000), "expected 1 at /a, but the body is not JSON"),
        (
            Expectations(json={"/a": 1}), Reply(200, {}, b"[", whole=False),
            "expected 1 at /a, but the body is too long to be read",
        ),
        (Expectations(version=Place("json", "/checks/db")), JSON, "expected release 1.2.0, got 'up'"),
        (
            Expectations(version=Place("json", "/none")), JSON,
            "expected release 1.2.0, but there is nothing at /none",
        ),
        (
            Expectations(version=Place("header", "X-None")), JSON,
            "expected release 1.2.0, but there is no header X-None",
        ),
        (
            Expectations(version=Place("body", "v=(.)")), PAGE,
            "expected release 1.2.0, but nothing in the body matches 'v=(.)'",
        ),
        (
            Expectations(version=Place("body", "")), PAGE,
            "expected release 1.2.0, got '<h1>Sign in</h1>\\n<!-- release 1.2.0 -->'",
        ),
        (
            Expectations(version=Place("body", "")), Reply(200, {}, b"11.2.0"),
            "expected release 1.2.0, got '11.2.0'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_complaint_says_what_was_expected_and_what_came(expected: Expectations, reply: Reply, complaint: str) -> None:
    assert expected.complaint(reply, "1.2.0") == complaint


def test_any_release_will_do_where_none_is_known() -> None:
    assert Expectations(version=Place("json", "/none")).complaint(JSON, "") == ""


def test_a_body_made_to_be_slow_is_quoted_at_once() -> None:
    """Guards the event loop: masking the whole of such a body took hours."""
    complaint = Expectations().complaint(Reply(500, {}, b'"' + b"token" * 200_000), "")
    assert len(complaint) < 300


@pytest.mark.parametrize(
    "member",
    [
        {"access_token": "s3cret"},
        {"Set-Cookie": "s3cret"},
        {"apiKey": 's3"cret'},
        {"password": "s3cret" * 100},
        {"session_id": 73571},
    ],
    ids=lambda member: next(iter(member)),
)
def test_members_whose_names_look_secret_are_never_quoted(member: Mapping[str, object]) -> None:
    body = json.dumps({"user": "ann", **member, "more": "text"}).encode()
    complaint = Expectations().complaint(Reply(500, {}, body), "")
    assert "ann" in complaint
    assert "s3" not in complaint
    assert "cret" not in complaint
    assert "73571" not in complaint
