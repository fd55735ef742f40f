"""A step of a flow as it is sent: its values filled in, each where it can stand, and nothing else with them."""

import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urljoin, urlsplit

from bluegreen.adapters.front_doors.cookies import Cookies
from bluegreen.adapters.front_doors.exchange import Asked
from bluegreen.domain.answers import Place
from bluegreen.domain.flows import Step
from bluegreen.domain.words import RELEASE, WORD, filled, filled_leaves, words_in

LONGEST_PAGE = 1024 * 1024
"""Bytes of an answer in which values are looked for: a login page with its styles inside is long."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

LONG_PART = 12
"""Characters from which a part of a path that has digits is taken for a token."""

ADDRESSES = ("redirect", "form-action")
"""Places that hold an address, which may be relative to the page that it stands on."""


class Unfit(ValueError):
    """A value that cannot be sent where it is to stand; the message does not show it."""


def request(step: Step, values: Mapping[str, str], cookies: Cookies, host: str) -> Asked:
    """A step as it is sent. Raises Unfit where a value cannot stand where it is to."""
    path = _path(step.path, values)
    headers = {name: _header(name, filled(text, values)) for name, text in step.headers.items()}
    sent = cookies.header(host, path)
    if sent:
        headers["Cookie"] = _header("Cookie", sent)
    body, kind = _body(step, values)
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return Asked(path, step.method, headers, body, LONGEST_PAGE)


def needs_release(step: Step) -> bool:
    """Whether the request itself names the release."""
    texts = [step.path, step.body, *step.headers.values(), *step.form.values()]
    return any(RELEASE in words_in(each) for each in (*texts, step.json))


def captured(place: Place, value: str, path: str) -> str:
    """A captured value as later steps use it: an address is completed by the path that was asked."""
    if place.source not in ADDRESSES:
        return value
    try:
        return urljoin(path, value) if value else path
    except ValueError:
        return value


def secret_in(value: str) -> set[str]:
    """What must not be shown of a captured value: all of it; of an address, what its query and its path carry."""
    if not value.startswith(("/", "http://", "https://")):
        return {value}
    try:
        url = urlsplit(value)
    except ValueError:
        return {value}
    carried = {word for _, word in parse_qsl(url.query)}
    return carried | {part for part in url.path.split("/") if len(part) >= LONG_PART and any(map(str.isdigit, part))}


def in_every_spelling(values: Iterable[str]) -> frozenset[str]:
    """Values as they may stand in a text: as they are, in an address, in HTML, in JSON."""
    return frozenset(
        spelled
        for value in values
        for spelled in (
            value,
            quote(value, safe=""),
            quote(value),
            quote_plus(value),
            html.escape(value),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
        )
        if spelled
    )


def _body(step: Step, values: Mapping[str, str]) -> tuple[bytes, str]:
    if step.form:
        form = {name: filled(text, values) for name, text in step.form.items()}
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    if step.json is not None:
        return json.dumps(filled_leaves(step.json, values)).encode(), "application/json"
    return filled(step.body, values).encode(), ""


def _path(path: str, values: Mapping[str, str]) -> str:
    """The path to ask for. A path that is one value as a whole may be a whole address, of which path and query count:
    it is the flow's service that is asked, whatever an answer says; elsewhere in a path a value is percent-encoded."""
    alone = WORD.fullmatch(path)
    if alone is None:
        return WORD.sub(lambda found: quote(values[found[1]], safe="") if found[1] in values else found[0], path)
    value = values.get(alone[1], path)
    try:
        url = urlsplit(value)
    except ValueError as exc:
        raise Unfit(f"{path} is no address") from exc
    place = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if not place.startswith("/") or CONTROL.search(place) or not place.isascii() or " " in place:
        raise Unfit(f"{path} is no path")
    return place


def _header(name: str, value: str) -> str:
    if CONTROL.search(value):
        raise Unfit(f"a value does not fit into the header {name}: it has control characters")
    return value
