"""A request of a flow and its answer as people read them, with everything secret masked."""

from collections.abc import Iterable

from bluegreen.adapters.front_doors.exchange import Asked, Got
from bluegreen.domain.flows import Step
from bluegreen.domain.quoting import Quotes

CHOSEN = ("content-type", "location", "retry-after", "www-authenticate", "x-version", "x-request-id")
"""Headers of an answer that are shown; and those that the step expects."""


def sent_in_words(step: Step, asked: Asked, quotes: Quotes) -> str:
    """Method, path, the names of the headers, and of what the body holds."""
    said = [f"{asked.method} {quotes.path(asked.path)}"]
    names = sorted(name.lower() for name in asked.headers)
    if names:
        said.append(f"headers {', '.join(names)}")
    if "Cookie" in asked.headers:
        said.append(f"cookies {', '.join(_names(asked.headers['Cookie'].split(';')))}")
    if step.form:
        said.append(f"a form of {', '.join(step.form)}")
    elif isinstance(step.json, dict):
        said.append(f"JSON of {', '.join(step.json)}")
    elif asked.body:
        said.append(f"a body of {len(asked.body)} bytes")
    return "; ".join(said)


def got_in_words(step: Step, got: Got, quotes: Quotes) -> str:
    """Status, the headers that tell something, which cookies were set, and the beginning of the body."""
    if got.status is None:
        return got.error
    shown = dict.fromkeys((*CHOSEN, *(name.lower() for name in step.expect.header)))
    said = [str(got.status)]
    said += [f"{name} {quotes.text(got.headers[name], name)}" for name in shown if name in got.headers]
    if got.cookies:
        said.append(f"sets {', '.join(_names(got.cookies))}")
    return "; ".join([*said, quotes.excerpt(got.body.decode(errors="replace"))])


def _names(pairs: Iterable[str]) -> list[str]:
    """Names of cookies, in their order."""
    return list(dict.fromkeys(pair.partition("=")[0].strip()[:64] for pair in pairs))
