"""Forms of HTML pages, as browsers read them; and pages that somebody shaped to keep us busy."""

import time

import pytest

from bluegreen.domain.forms import action_of, forms, value_of

KRATOS = """<!DOCTYPE html><html><head><title>Sign in <input name="not"></title>
<script>var a = "<form action='/evil'><input name=csrf_token value=evil>";</script>
<!-- <form action="/old"><input name="csrf_token" value="old"> --></head><body>
<form action="https://id.example.org/self-service/login?flow=6c9d&amp;aal=1" method="POST">
  <INPUT TYPE=hidden NAME="csrf_token" VALUE="a&quot;b&#39;&gt;&amp;/+==">
  <input name='identifier' value=''>
  <input type="password" name="password"/>
  <input type=checkbox name=remember value=yes>
  <input type=checkbox name=terms value=ok checked>
  <select name="lang"><option value="en">English<option value="de" selected>Deutsch</select>
  <textarea name="note">
2 &lt; 3 <b></textarea>
  <button type="submit" name="method" value="password">Sign in</button>
</form>
<form id=search action="?q"><input name=q value=x></form>
</body>"""


def test_the_fields_of_a_form_are_read_with_their_entities_decoded() -> None:
    login, search = forms(KRATOS)
    assert login.action == "https://id.example.org/self-service/login?flow=6c9d&aal=1"
    assert login.fields == {
        "csrf_token": "a\"b'>&/+==",
        "identifier": "",
        "password": "",
        "terms": "ok",
        "lang": "de",
        "note": "2 < 3 <b>",
        "method": "password",
    }
    assert (search.action, search.fields) == ("?q", {"q": "x"})


@pytest.mark.parametrize(
    ("page", "name", "value"),
    [
        ("<input name=a value=1>", "a", "1"),
        ("<form><input name=b></form><form><input name=a value=2>", "a", "2"),
        ("<form><input name=a value=1><input name=a value=2>", "a", "1"),
        ("<select name=a><option value=x><option value=y></select>", "a", "x"),
        ("<input\nname = 'a'\tvalue = \"q\" / >", "a", "q"),
        ("<input name=a value=1 value=2>", "a", "1"),
        ("<input name=a value='>'>", "a", ">"),
    ],
    ids=str,
)
def test_a_field_is_found_wherever_it_stands(page: str, name: str, value: str) -> None:
    assert value_of(page, name) == value


@pytest.mark.parametrize("page", ["", "no page at all", "<form>", "<form><input name=b></form>", "<!-- <input name=a>"])
def test_a_field_that_is_not_there_is_named(page: str) -> None:
    with pytest.raises(LookupError, match="there is no field a in a form"):
        value_of(page, "a")


def test_where_a_form_is_sent_is_told_of_the_first_or_of_the_one_with_a_field() -> None:
    page = "<form action=/search><input name=q></form><form action=' /login '><input name=user></form>"
    assert (action_of(page), action_of(page, "user"), action_of("<form>")) == ("/search", "/login", "")
    with pytest.raises(LookupError, match="there is no form with a field password"):
        action_of(page, "password")
    with pytest.raises(LookupError, match="there is no form"):
        action_of("<input name=q>".replace("name=q", ""))


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<a", "<a x='", "<?", "</a", "<a x=", "<script>", "<textarea>", "<select>", "&#", "<", "<input ", "<a /"],
)
def test_no_page_takes_long(piece: str) -> None:
    began = time.process_time()
    forms((piece * 400_000)[: 1024 * 1024])
    assert time.process_time() - began < 5.0, "html.parser takes minutes over some of these"
