"""What a database's catalogue holds, as plain things, and what changed between two looks at it.

A thing's `key` outlives a rename (oid, attnum), so that a rename is a rename and not a drop and an addition. `name` is
for people and for comparing two databases, in which oids mean nothing. Facts are strings, numbers, booleans or None:

| kind | facts |
|---|---|
| schema | owner |
| table | persistence, partitioned, partition_of, inherits, row_security, forced_row_security, owner, options,
  filenode |
| view, matview | definition, options, owner; matview also populated, filenode |
| foreign_table | server, options |
| sequence | type, start, increment, minimum, maximum, cache, cycle, owned_by, position (last value, "" if unused) |
| column | type, not_null, default, identity, generated, collation, attnum |
| constraint | type (p u f c x n), definition, validated, deferrable, references (a table's name, f only) |
| index | definition, unique, primary, valid, ready |
| trigger | definition, enabled, function |
| rule, policy | definition; policy also command, roles, permissive, using, check |
| function | arguments, result, source (a hash), language, volatility, security_definer, strict, returns_set |
| enum | labels (newline-separated, in order) |
| domain | type, not_null, default, checks |
| composite, range | definition |
| grant | privileges of one grantee on one thing (its name: "grant on public.users to app"), grantee, privileges |
| extension | version |
| event_trigger, publication, statistics, operator, cast, collation, aggregate | definition |

`of` is the key of the thing it belongs to (a column's table), "" for those that stand alone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Fact: TypeAlias = str | int | float | bool | None

PHYSICAL = frozenset({"filenode", "position", "attnum"})
"""Facts that say where something lies, not what it is."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a catalogue."""

    kind: str
    key: str
    name: str
    of: str
    facts: Mapping[str, Fact]


Catalogue: TypeAlias = Mapping[str, Thing]
"""All things by their keys, without those of the system, of extensions and of schema `bluegreen`."""


class How(StrEnum):
    """What happened to a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one thing; `fields` are the facts that differ, with "name" for a rename."""

    how: How
    thing: Thing
    before: Thing | None
    fields: tuple[str, ...] = ()


def changes(before: Catalogue, after: Catalogue) -> Iterator[Change]:
    """What changed, removed things first, each in the order of its catalogue."""
    for key, thing in before.items():
        if key not in after:
            yield Change(How.REMOVED, thing, thing)
    for key, thing in after.items():
        former = before.get(key)
        if former is None:
            yield Change(How.ADDED, thing, None)
        elif fields := _fields(former, thing):
            yield Change(How.CHANGED, thing, former, fields)


def fingerprint(catalogue: Catalogue) -> str:
    """The hash of what is there, whatever its oids and wherever it lies: equal in a database and its copy."""
    said = sorted(f"{thing.kind} {thing.name} {_digest(thing)}" for thing in catalogue.values())
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def digests(catalogue: Catalogue) -> dict[str, str]:
    """A short hash of each thing by its kind and name ("column public.users.email"). Partitions are left out, with what
    belongs to them: they come and go without anybody changing the schema."""
    partitions = {thing.key for thing in catalogue.values() if thing.facts.get("partition_of")}
    lasting = (thing for thing in catalogue.values() if not partitions & {thing.key, thing.of})
    return {f"{thing.kind} {thing.name}": _digest(thing) for thing in lasting}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """What differs between two sets of digests, in words: "column public.users.email is gone"."""
    gone = [f"{name} is gone" for name in before if name not in after]
    new = [f"{name} is new" for name in after if name not in before]
    other = [f"{name} is different" for name in after if name in before and before[name] != after[name]]
    return (*sorted(gone), *sorted(new), *sorted(other))


def _digest(thing: Thing) -> str:
    facts = sorted((name, fact) for name, fact in thing.facts.items() if name not in PHYSICAL)
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]


def _fields(before: Thing, after: Thing) -> tuple[str, ...]:
    names = [name for name in {**before.facts, **after.facts} if before.facts.get(name) != after.facts.get(name)]
    return (*(["name"] if before.name != after.name else []), *sorted(names))
