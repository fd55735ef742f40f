"""What a difference means, before it is a finding: its kind, and the thing that it is about."""

from dataclasses import dataclass

from bluegreen.domain.catalogue import Thing


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that a change means. `says` is a sentence for people."""

    kind: str
    thing: Thing
    says: str


def said(thing: Thing, fact: str) -> str:
    """A fact as text, "" where there is none."""
    value = thing.facts.get(fact)
    return "" if value is None or value is False else str(value)
