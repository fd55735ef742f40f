"""What is quoted of an answer: nothing that is secret by its name, by its look, or because it is known."""

import pytest

from bluegreen.domain.answers import Expectations, Place, Reply
from bluegreen.domain.quoting import HIDDEN, Quotes

S = "s3cr3t-value"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"session_token": "{S}", "a": 1}}',
        f'{{"ory_kratos_session" : "{S}',
        f'<input type="hidden" name="csrf_token" value="{S}">',
        f"<INPUT value='{S}' name=csrf_token />",
        f"<input type=password value={S}>",
        f'<meta name="csrf-token" content="{S}">',
        f"Location: /verify?token={S}&flow=1",
        f"api_key={S}; path=/",
        f"Authorization: Bearer {S}",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.s3cr3t-value",
        f'<input name="csrf_token" value="{S}',
    ],
    ids=str,
)
def test_what_looks_secret_is_hidden(text: str) -> None:
    for quoted in (Quotes().text(text), Quotes().excerpt(text), Quotes().body(text)):
        assert S not in quoted
        assert HIDDEN in quoted


@pytest.mark.parametrize("text", [f"it is {S}.", f"IT IS {S.upper()}", f"{S}{S}", "x" * 390 + S, "x" * 470 + S])
def test_a_known_value_is_hidden_wherever_it_stands(text: str) -> None:
    quotes = Quotes([S])
    for quoted in (quotes.text(text), quotes.excerpt(text), quotes.path(text), quotes.json(text, "/x")):
        assert not any(S[:length] in quoted.lower() for length in range(4, len(S)))


def test_what_a_cut_leaves_of_a_value_is_hidden_too() -> None:
    secret = "long-secret-" * 100
    for before in range(15_000, 16_384, 300):
        assert "long-" not in Quotes([secret]).masked("x" * before + secret)
    assert Quotes([secret]).excerpt("page " + secret * 40).startswith("'page (hidden)")


def test_a_short_value_is_hidden_as_a_word_and_does_not_blank_out_others() -> None:
    assert Quotes(["7", ""]).text("7 of 17, code 7.") == f"'{HIDDEN} of 17, code {HIDDEN}.'"


def test_ordinary_text_stays() -> None:
    page = "<h1>Sign in</h1>\n  <footer>olympus v1.2.0</footer>"
    assert Quotes([S]).excerpt(page) == "'<h1>Sign in</h1> <footer>olympus v1.2.0</footer>'"
    assert Quotes().excerpt(" \n") == "an empty body"
    assert len(Quotes().excerpt("x" * 100_000)) == 405


REPLY = Reply(
    303,
    {"location": "/next", "set-cookie": "session=second"},
    b'<form action="/send"><input name="csrf" value="c&amp;1"></form>',
    cookies=("csrf=; Max-Age=0", "session=first", "session=second; Path=/; Secure", "nonsense"),
)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("cookie:session", "second"),
        ("form:csrf", "c&1"),
        ("form-action", "/send"),
        ("form-action:csrf", "/send"),
        ("redirect", "/next"),
        ("body:action=.([a-z/]+)", "/send"),
        ("header:Location", "/next"),
    ],
)
def test_a_place_in_an_answer_is_read(place: str, value: str) -> None:
    assert Place.written(place).text(REPLY) == value


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("cookie:other", "the answer sets no cookie other"),
        ("form:user", "there is no field user in a form"),
        ("form-action:user", "there is no form with a field user"),
    ],
)
def test_a_place_with_nothing_in_it_is_named(place: str, complaint: str) -> None:
    with pytest.raises(LookupError, match=complaint):
        Place.written(place).text(REPLY)
    with pytest.raises(LookupError, match="redirects nowhere"):
        Place.written("redirect").text(Reply(200, {"location": "/x"}, b""))


EXPECT = Expectations(
    range(100, 600),
    header={"x-version": "v{release}", "x-a": "{user}"},
    body="olympus {release}",
    json={"/v": "{release}", "/n": [1, "{colour}"]},
)


def test_expectations_are_of_the_values_they_name() -> None:
    filled = EXPECT.filled({"release": "1.2.0", "colour": "blue", "user": "ann"})
    assert filled.header == {"x-version": "v1.2.0", "x-a": "ann"}
    assert (filled.body, filled.json) == ("olympus 1.2.0", {"/v": "1.2.0", "/n": [1, "blue"]})


def test_what_names_the_release_is_not_asked_for_where_nobody_knows_it() -> None:
    filled = EXPECT.filled({"colour": "blue", "user": "ann"})
    assert (filled.header, filled.body, filled.json) == ({"x-a": "ann"}, None, {"/n": [1, "blue"]})


def test_an_expected_value_that_is_secret_is_not_shown() -> None:
    complaint = Expectations(body="{user}").filled({"user": S}).complaint(Reply(200, {}, b"x"), "", quotes=Quotes([S]))
    assert complaint == f"expected a body with '{HIDDEN}', got: 'x'"
