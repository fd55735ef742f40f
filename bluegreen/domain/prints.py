"""The fingerprint of a variable's value: tells whether two values are the same, and nothing else of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Print:
    """`whole` is of the value, `parts` of each secret in a list of secrets, in order (of the value alone where it is no
    list); `core` of a database URL without its application_name, "" where it is none. Keyed: nobody without the key can
    try values out."""

    whole: str
    parts: tuple[str, ...] = ()
    core: str = ""
    empty: bool = False

    @property
    def accepted(self) -> tuple[str, ...]:
        """The secrets that are accepted, the one that signs first."""
        return () if self.empty else self.parts or (self.whole,)


def joined(prints: Iterable[Print]) -> Print:
    """Secrets that several variables hold, in their order, as one list of them."""
    parts = tuple(part for each in prints for part in each.accepted)
    return Print("+".join(parts), parts, empty=not parts)


def digest_of(prints: Mapping[str, Print]) -> str:
    """Stands for all names and values at once, as keyed as they are."""
    text = json.dumps(sorted((name, each.whole) for name, each in prints.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
