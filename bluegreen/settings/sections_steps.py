"""The steps of a flow, through the front door or past it: requests in order, and the values that lead from one to the
next."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bluegreen.domain.words import GIVEN, WORD, words_in
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.places import nearest
from bluegreen.settings.section import Section, Shape
from bluegreen.settings.sections_answers import Answer, Expectation
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Name, matching
from bluegreen.settings.values_answers import CapturePlace, HeaderName

MOST_STEPS = 30


def _path(value: str) -> str:
    begins = value.startswith("/") or WORD.fullmatch(value)
    if not begins or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(
            f'{quoted(value)} is not a path: it begins with "/" and has no spaces, for example "/login", or is one '
            'captured value, for example "{action}"'
        )
    return value


def _json(value: object) -> object:
    if not isinstance(value, str | int | float | list | dict):
        raise ValueError("must be a text, a number, true, false, a list or a table")  # noqa: TRY004 - pydantic's protocol
    return value


FlowPath = Annotated[str, AfterValidator(_path), Shape("path", "/login")]
JsonBody = Annotated[Any, AfterValidator(_json), Shape("JSON value", "text")]
ValueName = Annotated[
    str,
    AfterValidator(matching(re.compile(r"[a-z][a-z0-9_]{0,31}"), "a name of a value", "write it as in {csrf_token}")),
    Shape("name", "csrf_token"),
]
Values = dict[ValueName, SecretText]


class Step(Section):
    """One request of a flow, and what its answer must be. Cookies that answers set are sent along, as a browser does;
    redirects are not followed: a 302 is an answer, and its `redirect` may be captured."""

    service: Name | None = Field(
        default=None, description="The service that is asked. Not set: the flow's.", examples=["identity"]
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="Its method."
    )
    path: FlowPath = Field(
        description="Its path, with a query if needed. A {name} in it is percent-encoded; a path that is one {name} "
        "may be a whole address, of which path and query are asked for.",
        examples=["/login"],
    )
    headers: dict[HeaderName, SecretText] = Field(
        default={},
        description='Its headers beside Host and Cookie. A value may be { credential = "NAME" }.',
        examples=[{"accept": "application/json"}],
    )
    form: dict[str, SecretText] = Field(
        default={},
        description='The fields of a form that is sent. A value may be { credential = "NAME" }.',
        examples=[{"user": "{user}", "password": "{password}"}],
    )
    json_: dict[str, JsonBody] = Field(
        default={},
        alias="json",
        description="Instead of `form`: a JSON object that is sent. Texts in it may hold {names}.",
        examples=[{"identifier": "{user}", "password": "{password}"}],
    )
    body: str = Field(default="", description="Instead of both: a text. Empty: none.", examples=["ping"])
    expect: Answer = Field(default=Answer(), description="What the answer must be. Not set: status 200.")
    capture: dict[ValueName, CapturePlace] = Field(
        default={},
        description='Values that later steps use as {name}, and where they stand: "json:/POINTER", "header:NAME", '
        '"cookie:NAME", "form:FIELD" for what stands in this field of an HTML form, "form-action" for where the first '
        'form is sent ("form-action:FIELD": that with this field), "redirect" for where the answer leads, "body:REGEX" '
        "for its first group. The answer must have them.",
        examples=[{"csrf_token": "form:csrf_token"}],
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        given = [key for key, value in (("form", self.form), ("json", self.json_), ("body", self.body)) if value]
        if len(given) > 1:
            raise ValueError(f"sends one of `form`, `json` and `body`, not {' and '.join(given)}")
        return self

    def words(self) -> Iterator[tuple[str, str]]:
        """The names in braces, each with the key that it stands in."""
        expected = [self.expect.body, self.expect.header, self.expect.json_]
        texts: Mapping[str, Any] = {"path": self.path, "body": self.body, "json": self.json_, "expect": expected}
        for key, table in (("headers", self.headers), ("form", self.form)):
            texts = {**texts, key: [each.get_secret_value() for each in table.values() if not each.credential]}
        return ((key, word) for key, found in texts.items() for word in words_in(found))


class DirectStep(Step):
    """One request of a flow past the balancer, and what its answer must be. Cookies that answers set are sent along, as
    a browser does; redirects are not followed: a 302 is an answer, and its `redirect` may be captured."""

    expect: Expectation = Field(default=Expectation(), description="What the answer must be. Not set: status 200.")


Steps = tuple[DirectStep, ...]


def check_words(steps: Sequence[Step], known: set[str], what: str = "step") -> set[str]:
    """ValueError where a step uses a value that is not known there; returns what is known after them."""
    for number, step in enumerate(steps, 1):
        for key, word in step.words():
            meant = nearest(word, sorted(known))
            if word not in known and (key == "path" or meant or word in GIVEN):
                raise ValueError(f"{what} {number}: {{{word}}} in `{key}` is not known there{_hint(word, meant)}")
        known = known | set(step.capture)
    return known


def check_names(values: Mapping[str, object], *steps: Sequence[Step]) -> None:
    """ValueError where a value takes the name of one that is there anyway."""
    taken = {*values, *(name for some in steps for step in some for name in step.capture)} & set(GIVEN)
    if taken:
        name = min(taken)
        raise ValueError(f"{{{name}}} is known by itself here: give the value another name")


def _hint(word: str, meant: str | None) -> str:
    if word in GIVEN:
        return ": it is in [[smoke]] and [[continuity]], where one colour is asked"
    return f"; did you mean {{{meant}}}?" if meant else ": capture it in a step before, or give it in `values`"
