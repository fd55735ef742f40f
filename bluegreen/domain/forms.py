"""The forms of an HTML page: where they are sent, and what stands in their fields.

Read as a browser's tokenizer does (HTML, section 13.2.5), as far as forms need it, in one pass: `html.parser` of
Python 3.11 takes minutes over a page of unclosed comments or tags, and whoever answers could make us wait.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

OPENING = re.compile(r"<(?:(!--)|(/?[a-zA-Z][a-zA-Z0-9-]*))")
ATTRIBUTE = re.compile(r"[\s/]*([^\s/>=][^\s/>=]*)[ \t\r\n\f]*(=?)[ \t\r\n\f]*")
BARE = re.compile(r"[^\s>]*")
RAW = ("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp")
"""Elements in which a tag is only text."""

TICKED = ("checkbox", "radio")
UNSENT = ("submit", "button", "reset", "image", "file")


@dataclass
class Form:
    """A form: `action` as it stands there ("" the page itself), and its fields by name, the first of each.

    What is filled in comes first: a ticked box over one that is not.
    """

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag as it is written; `text` is what follows it where no tag can stand within the element."""

    name: str
    attributes: dict[str, str]
    text: str = ""


def forms(page: str) -> tuple[Form, ...]:
    """The forms of a page in their order. Fields outside of any form are in one of their own at the end."""
    found: list[Form] = []
    outside, select = Form(), ""
    current = outside
    for tag in _tags(page):
        match tag.name:
            case "form":
                current = Form(tag.attributes.get("action", "").strip())
                found.append(current)
            case "/form":
                current = outside
            case "select":
                select = tag.attributes.get("name", "")
            case "/select":
                select = ""
            case "option":
                _take_option(current, select, tag)
            case _:
                _take(current, tag)
    return (*found, outside) if outside.fields else tuple(found)


def value_of(page: str, name: str) -> str:
    """What stands in the first field of this name. Raises LookupError where there is none."""
    for form in forms(page):
        if name in form.fields:
            return form.fields[name]
    raise LookupError(f"there is no field {name} in a form")


def action_of(page: str, name: str = "") -> str:
    """Where the first form is sent, or the first that has a field of this name. Raises LookupError."""
    for form in forms(page):
        if not name or name in form.fields:
            return form.action
    raise LookupError(f"there is no form with a field {name}" if name else "there is no form")


def _take(form: Form, tag: _Tag) -> None:
    said = tag.attributes
    name = said.get("name", "")
    if not name or tag.name not in ("input", "button", "textarea"):
        return
    kind = said.get("type", "").lower()
    if tag.name == "textarea":
        form.fields.setdefault(name, tag.text.removeprefix("\n"))
    elif kind in TICKED and tag.name == "input":
        if "checked" in said:
            form.fields.setdefault(name, said.get("value", "on"))
    elif kind not in UNSENT or "value" in said:
        form.fields.setdefault(name, said.get("value", ""))


def _take_option(form: Form, select: str, tag: _Tag) -> None:
    """The option that is selected, else the first."""
    if select and ("selected" in tag.attributes or select not in form.fields):
        form.fields[select] = tag.attributes.get("value", "")


def _tags(page: str) -> Iterator[_Tag]:
    at = 0
    while (found := OPENING.search(page, at)) is not None:
        if found[1]:
            at = page.find("-->", found.end())
            if at < 0:
                return
            continue
        name = found[2].lower()
        attributes, at = _attributes(page, found.end())
        if at < 0:
            return
        text = ""
        if name in RAW:
            end = _end_of(name, page, at)
            text, at = html.unescape(page[at:end]), end
        yield _Tag(name, attributes, text)


def _end_of(name: str, page: str, at: int) -> int:
    """Where an element ends in which no tag can stand; the end of the page where it does not."""
    end = re.compile(rf"</{name}", re.IGNORECASE).search(page, at)
    return end.start() if end is not None else len(page)


def _attributes(page: str, at: int) -> tuple[dict[str, str], int]:
    """The attributes from here on, and where the tag ends; -1 where it does not."""
    said: dict[str, str] = {}
    while (found := ATTRIBUTE.match(page, at)) is not None:
        at, value = found.end(), ""
        if found[2]:
            quote = page[at : at + 1]
            if quote in ('"', "'"):
                end = page.find(quote, at + 1)
                if end < 0:
                    return said, -1
                value, at = page[at + 1 : end], end + 1
            elif (bare := BARE.match(page, at)) is not None:
                value, at = bare[0], bare.end()
        said.setdefault(found[1].lower(), html.unescape(value))
    end = page.find(">", at)
    return said, end + 1 if end >= 0 else -1
