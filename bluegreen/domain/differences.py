"""What truly changed between two catalogues, without what only follows from something else.

A thing that was dropped and made again is one that changed; what belongs to a dropped or to a new thing is not told
again; a partition follows its parent; and after a rename the texts that name the renamed thing are the same as before.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bluegreen.domain.catalogue import PHYSICAL, Catalogue, Change, How, Thing, changes

PART = re.compile(r'"(?:[^"]|"")*"|[^."\s]+')
"""One part of a dotted name, quoted or not."""

DOTTED = re.compile(r'(?:"(?:[^"]|"")*"|[\w$]+)(?:\.(?:"(?:[^"]|"")*"|[\w$]+))*')
"""A name with its schema, or a word."""

HOLDS_ROWS = frozenset({"table", "foreign_table", "sequence"})
"""What cannot be dropped and made again without losing something."""

RELATIONS = frozenset({"table", "foreign_table", "view", "matview"})


def last_part(name: str) -> str:
    """`users` of `public.users`; of a function with its arguments."""
    head, paren, rest = name.partition("(")
    parts = PART.findall(head)
    return (parts[-1] if parts else head) + paren + rest


@dataclass(frozen=True, slots=True)
class Difference:
    """What happened to one thing. `before` is None for a new one, `after` for one that is gone; `fields` are the facts
    that differ, "name" among them."""

    how: How
    before: Thing | None
    after: Thing | None
    fields: tuple[str, ...] = ()

    @property
    def thing(self) -> Thing:
        """It as it was known to the running version, or as it is new."""
        thing = self.before or self.after
        assert thing is not None  # noqa: S101 — one of both is always there
        return thing


class Look:
    """Two catalogues side by side, and what is asked of them."""

    def __init__(self, before: Catalogue, after: Catalogue) -> None:
        self.before = before
        self.after = after

    @cached_property
    def named_before(self) -> dict[tuple[str, str], Thing]:
        """Things by kind and name."""
        return {(thing.kind, thing.name): thing for thing in self.before.values()}

    @cached_property
    def named_after(self) -> dict[tuple[str, str], Thing]:
        """Things by kind and name."""
        return {(thing.kind, thing.name): thing for thing in self.after.values()}

    @cached_property
    def children_before(self) -> dict[str, list[Thing]]:
        """Things by the key of what they belong to."""
        return _children(self.before)

    @cached_property
    def children_after(self) -> dict[str, list[Thing]]:
        """Things by the key of what they belong to."""
        return _children(self.after)

    def columns_before(self, key: str) -> dict[str, Thing]:
        """The columns of a relation by their own names."""
        return {last_part(c.name): c for c in self.children_before.get(key, ()) if c.kind == "column"}

    def columns_after(self, key: str) -> dict[str, Thing]:
        """The columns of a relation by their own names."""
        return {last_part(c.name): c for c in self.children_after.get(key, ()) if c.kind == "column"}

    def types_after(self, key: str) -> dict[str, str]:
        """The types of a relation's columns, of a domain the one that it stands on."""
        types = {name: str(column.facts.get("type")) for name, column in self.columns_after(key).items()}
        return {name: base_type(type_, self.after) for name, type_ in types.items()}

    def table(self, thing: Thing) -> Thing | None:
        """The relation that a thing belongs to, or is: as it was before, else as it is new."""
        key = thing.key if thing.kind in RELATIONS else thing.of
        return self.before.get(key) or self.after.get(key)

    def is_new(self, key: str) -> bool:
        """Whether it came with this file."""
        return key not in self.before

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What truly changed."""
        return tuple(self._differences())

    def _differences(self) -> Iterator[Difference]:
        raw = list(changes(self.before, self.after))
        again = dict(self._made_again(raw))
        remade = {new.key for new in again.values()}
        renames = self._renames(raw)
        for change in raw:
            key = change.thing.key
            if key in again:
                yield from _changed(change.thing, again[key], {})
            elif key in remade or self._follows(change, again):
                continue
            elif change.before is not None and change.how is How.CHANGED:
                yield from _changed(change.before, change.thing, renames)
            elif change.how is How.REMOVED:
                yield Difference(How.REMOVED, change.thing, None)
            else:
                yield Difference(How.ADDED, None, change.thing)

    def _made_again(self, raw: list[Change]) -> Iterator[tuple[str, Thing]]:
        """The keys of things that are gone, with what has their name now."""
        new = {(change.thing.kind, change.thing.name): change.thing for change in raw if change.how is How.ADDED}
        for change in raw:
            thing = change.thing
            found = new.get((thing.kind, thing.name))
            if change.how is How.REMOVED and found is not None and not self._loses_rows(thing):
                yield thing.key, found

    def _loses_rows(self, thing: Thing) -> bool:
        if thing.kind == "column":
            parent = self.before.get(thing.of)
            return parent is None or parent.kind in HOLDS_ROWS
        return thing.kind in HOLDS_ROWS

    def _follows(self, change: Change, again: dict[str, Thing]) -> bool:
        """Whether it only follows from what happened to another thing."""
        of = change.thing.of
        if change.how is How.REMOVED:
            lost = bool(of) and of not in self.after and of not in again
            return lost or self._inherited(change, self.before, self.children_before)
        if change.how is How.ADDED and of and of not in self.before:
            return True
        return self._inherited(change, self.after, self.children_after)

    def _inherited(self, change: Change, where: Catalogue, children: dict[str, list[Thing]]) -> bool:
        """Whether the parent of a partition or of a child table had the same change."""
        table = where.get(change.thing.of)
        if table is None or table.kind not in HOLDS_ROWS:
            return False
        own = last_part(change.thing.name.partition(" on ")[0])
        for parent_name in _parents(table):
            parent = self.named_after.get(("table", parent_name)) or self.named_before.get(("table", parent_name))
            if parent is None or table.key not in self.before:
                continue
            if any(self._alike(change, own, thing) for thing in children.get(parent.key, ())):
                return True
        return False

    def _alike(self, change: Change, own: str, thing: Thing) -> bool:
        """Whether the parent's thing is the same and saw the same. Names of indexes differ: their definitions count."""
        if thing.kind != change.thing.kind or not self._saw(change.how, thing.key):
            return False
        if thing.kind == "index":
            return index_form(thing) == index_form(change.thing)
        if thing.kind == "constraint":
            return thing.facts.get("definition") == change.thing.facts.get("definition")
        return last_part(thing.name.partition(" on ")[0]) == own

    def _saw(self, how: How, key: str) -> bool:
        if how is How.ADDED:
            return key not in self.before
        if how is How.REMOVED:
            return key not in self.after
        return self.before.get(key) != self.after.get(key)

    def _renames(self, raw: list[Change]) -> dict[str, str]:
        """Former full names and own names, with the new ones."""
        found = {}
        for change in raw:
            if change.before is not None and "name" in change.fields:
                found[change.before.name] = change.thing.name
                if change.thing.kind in ("column", "constraint", "trigger"):
                    own = last_part(change.before.name.partition(" on ")[0])
                    found[own] = last_part(change.thing.name.partition(" on ")[0])
        return found


def base_type(name: str, catalogue: Catalogue) -> str:
    """What a domain stands on; any other type is its own."""
    for thing in catalogue.values():
        if thing.kind == "domain" and thing.name == name:
            return str(thing.facts.get("type"))
    return name


def index_form(index: Thing) -> str:
    """What an index is, without its name and its table's."""
    return str(index.facts.get("definition") or "").partition(" USING ")[2]


def _parents(table: Thing) -> list[str]:
    said = [table.facts.get("partition_of"), *str(table.facts.get("inherits") or "").split(", ")]
    return [str(name) for name in said if name]


def _children(catalogue: Catalogue) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = {}
    for thing in catalogue.values():
        if thing.of:
            found.setdefault(thing.of, []).append(thing)
    return found


def _changed(before: Thing, after: Thing, renames: dict[str, str]) -> Iterator[Difference]:
    names = dict.fromkeys((*before.facts, *after.facts))
    fields = [
        name
        for name in names
        if before.facts.get(name) != after.facts.get(name) and not _only_renamed(before, after, name, renames)
    ]
    # A column of a renamed table has a new full name and the same own one.
    if before.name != after.name and (_own(before) != _own(after) or before.of == after.of == ""):
        fields.insert(0, "name")
    if any(name not in PHYSICAL or name == "position" for name in fields):
        yield Difference(How.CHANGED, before, after, tuple(fields))


def _own(thing: Thing) -> str:
    return last_part(thing.name.partition(" on ")[0])


def _only_renamed(before: Thing, after: Thing, name: str, renames: dict[str, str]) -> bool:
    former, now = before.facts.get(name), after.facts.get(name)
    if not renames or not isinstance(former, str) or not isinstance(now, str):
        return False
    return DOTTED.sub(lambda match: _renamed(match[0], renames), former) == now


def _renamed(name: str, renames: dict[str, str]) -> str:
    """A dotted name with what is renamed in it: the longest beginning that is known, else each part."""
    parts = PART.findall(name)
    for length in range(len(parts), 0, -1):
        if found := renames.get(".".join(parts[:length])):
            return ".".join([found, *(renames.get(part, part) for part in parts[length:])])
    return ".".join(renames.get(part, part) for part in parts)
