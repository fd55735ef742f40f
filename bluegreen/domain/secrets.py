"""Whether users stay logged in when they go from one colour to the other: what each signs with, and what it accepts.

A list of secrets is read as Ory, Keycloak-likes and most session libraries read it: the first signs, all are accepted.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.prints import Print, joined

NUMBERED = re.compile(r"(.+?)_+([0-9]{1,3})")
"""SECRETS_COOKIE_0, SECRETS_COOKIE_1: a list, one variable a secret."""

FORMER = ("_FALLBACKS", "_FALLBACK", "_PREVIOUS", "_OLD")
"""What stands behind the name of a secret for those that are only accepted (Django: SECRET_KEY_FALLBACKS)."""


class Turn(StrEnum):
    """What becomes of a secret from the live colour to the idle one."""

    SAME = "same"
    ACCEPTS = "accepts"
    SIGNS = "signs"
    HASTY = "hasty"
    DROPS = "drops"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Judged:
    """A turn, and what it means, in words that begin after the name of the secret."""

    turn: Turn
    text: str


def judge(live: Print, idle: Print) -> Judged:
    """What users notice when they go from `live` to `idle`, and back."""
    old, new = live.accepted, idle.accepted
    if old == new:
        return Judged(Turn.SAME, "is the same")
    if not old:
        return Judged(Turn.SAME, "is new")
    if old[0] not in new:
        text = "would log everyone out: what the live colour signs with is not accepted by the other"
        return Judged(Turn.LOST, text)
    if new[0] not in old:
        text = (
            "changes in one step: sessions stay valid, but a cutback would end those that began after the switch, since"
            ' the live colour does not accept the new secret. Deploy "old,new" first, then "new,old", then "new"'
        )
        return Judged(Turn.HASTY, text)
    dropped = set(old) - set(new)
    if dropped:
        text = f"accepts {len(dropped)} secret(s) less: sessions that those signed end"
        return Judged(Turn.DROPS, text)
    if new[0] != old[0]:
        return Judged(Turn.SIGNS, "signs with another secret, which both colours accept: sessions stay valid both ways")
    return Judged(Turn.ACCEPTS, "accepts one more secret: sessions stay valid both ways")


def lists(prints: Mapping[str, Print], names: frozenset[str]) -> dict[str, Print]:
    """The secrets of `names`, each as the list that it makes with its numbered and its former ones, by the name of the
    first of them."""
    members: dict[str, list[str]] = {}
    for name in names:
        if name in prints:
            members.setdefault(base(name, names), []).append(name)
    return {name: _list(prints, name, each) for name, each in sorted(members.items())}


def base(name: str, known: Collection[str]) -> str:
    """The name of the list that a variable belongs to; its own where it is alone."""
    for suffix in FORMER:
        if name.endswith(suffix) and name.removesuffix(suffix) in known:
            return base(name.removesuffix(suffix), known)
    numbered = NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


def _list(prints: Mapping[str, Print], name: str, members: Iterable[str]) -> Print:
    ordered = sorted(members, key=lambda each: _place(each, name))
    return prints[name] if ordered == [name] else joined(prints[each] for each in ordered)


def _place(member: str, name: str) -> tuple[int, int, str]:
    """The variable itself, then its numbered ones, then the former ones."""
    if member == name:
        return 0, 0, member
    numbered = NUMBERED.fullmatch(member)
    return (1, int(numbered[2]), member) if numbered and numbered[1] == name else (2, 0, member)
