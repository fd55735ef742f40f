"""Flows: requests in order through the front door, such as a login, run again and again."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bluegreen.domain.rules import SignalRule
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.places import nearest
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.sections_smoke import Answer
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Name, Period, matching
from bluegreen.settings.values_answers import HeaderName, VersionPlace

WORD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
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


class Step(Section):
    """One request of a flow, and what its answer must be. Cookies that answers set are sent along, as a browser does;
    redirects are not followed: a 302 is an answer, and its `header:Location` may be captured."""

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
    capture: dict[ValueName, VersionPlace] = Field(
        default={},
        description='Values that later steps use as {name}, and where they stand: "json:/POINTER", "header:NAME", '
        '"body:REGEX" for its first group. The answer must have them.',
        examples=[{"csrf_token": 'body:name="csrf_token" value="([^"]+)"'}],
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        given = [key for key, value in (("form", self.form), ("json", self.json_), ("body", self.body)) if value]
        if len(given) > 1:
            raise ValueError(f"sends one of `form`, `json` and `body`, not {' and '.join(given)}")
        return self

    def words(self) -> Iterator[tuple[str, str]]:
        """The names in braces, each with the key that it stands in."""
        texts = {"path": [self.path], "body": [self.body], "json": list(_texts(self.json_))}
        for key, table in (("headers", self.headers), ("form", self.form)):
            texts[key] = [value.get_secret_value() for value in table.values() if not value.credential]
        return ((key, word) for key, found in texts.items() for text in found for word in WORD.findall(text))


class Flow(Section):
    """Requests in order that only mean something together, run again and again as a user of its own: a login above all.
    Each run is one event of the signal flow:<name>. What a flow writes is written with every run."""

    name: Name = Field(description="What it is called; its signal is flow:<name>.", examples=["login"])
    service: Name = Field(description="The service that its steps ask, through the front door.", examples=["web"])
    every: Period = Field(default=as_written("30s"), description="Time from the start of a run to that of the next.")
    timeout: Period = Field(default=as_written("10s"), description="How long all steps of a run may take together.")
    values: dict[ValueName, SecretText] = Field(
        default={},
        description='Values for all steps, as {name}. A value may be { credential = "NAME" }; none is ever shown.',
        examples=[{"user": "probe@example.org", "password": "text"}],
    )
    weight: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="How much it counts beside the others: the four signals of our own have 1 together.",
    )
    critical: bool = Field(
        default=False,
        description="true: without it no release is called healthy. It takes many runs, so rarely useful.",
    )
    dry_run: bool = Field(default=False, description="true: it is shown and never decides.")
    steps: tuple[Step, ...] = Field(
        min_length=1, max_length=MOST_STEPS, description="The requests, in order; the first that fails ends the run."
    )

    @property
    def rule(self) -> SignalRule:
        """How it counts; the weight as it is written."""
        return SignalRule(
            f"flow:{self.name}", self.weight, self.critical, synthetic=True, dry_run=self.dry_run, source="flows"
        )

    @model_validator(mode="after")
    def _words_are_known(self) -> Self:
        known = set(self.values)
        for number, step in enumerate(self.steps, 1):
            for key, word in step.words():
                meant = nearest(word, sorted(known))
                if word not in known and (key == "path" or meant):
                    hint = (
                        f"; did you mean {{{meant}}}?"
                        if meant
                        else ": capture it in a step before, or give it in `values`"
                    )
                    raise ValueError(f"step {number}: {{{word}}} in `{key}` is not known there{hint}")
            known |= set(step.capture)
        return self

    @model_validator(mode="after")
    def _runs_do_not_overlap(self) -> Self:
        if self.every < self.timeout:
            raise ValueError("`every` must not be shorter than `timeout`: runs of a flow never overlap")
        return self


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
