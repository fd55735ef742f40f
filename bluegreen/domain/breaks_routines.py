"""What changes of functions, triggers, policies, types and rights mean for the running version."""

from collections.abc import Iterator

from bluegreen.domain.catalogue import How, Thing
from bluegreen.domain.differences import Difference, Look, last_part
from bluegreen.domain.expressions import only_wider
from bluegreen.domain.marks import Mark, said

HARMLESS = ("name", "owner", "parallel", "leakproof")
"""Facts of a function that are told otherwise, or that only the planner looks at."""

DEAF = ("D",)
"""How a trigger or rule is said to be disabled (pg_trigger.tgenabled)."""


def function_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One function, procedure or aggregate."""
    before, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        longer = next((t for t in look.after.values() if look.is_new(t.key) and _takes_as_much(before, t)), None)
        if longer is None:
            yield Mark("function-dropped", before, "is dropped")
        else:
            yield Mark("function-body-changed", before, f"is {longer.name} now, which needs no more arguments")
    elif difference.how is How.ADDED:
        if any(_bare(t) == _bare(before) and t.key in look.after for t in look.before.values()):
            yield Mark("function-overloaded", before, "has the name of a function that was there")
    elif after is not None:
        yield from _function_changed(look, before, after, difference.fields)


def _function_changed(look: Look, before: Thing, after: Thing, fields: tuple[str, ...]) -> Iterator[Mark]:
    if "name" in fields:
        yield Mark("function-dropped", before, f"is called {after.name} now")
    for field in ("arguments", "result", "returns_set", "kind"):
        if field in fields:
            says = f"has {field} {said(after, field)}; it was {said(before, field)}"
            yield Mark("function-signature-changed", before, says)
            return
    if "owner" in fields:
        yield Mark("owner-changed", before, f"belongs to {said(after, 'owner')} now")
    if rest := [field for field in fields if field not in HARMLESS]:
        kind = "trigger-changed" if _triggered(look, before) else "function-body-changed"
        yield Mark(kind, before, f"does something else ({', '.join(rest)})")


def _bare(function: Thing) -> tuple[str, str]:
    return function.kind, function.name.partition("(")[0]


def _takes_as_much(former: Thing, now: Thing) -> bool:
    """Whether each call of the one is one of the other: the same arguments, and only such with a default after them."""
    if _bare(former) != _bare(now) or said(former, "result") != said(now, "result"):
        return False
    old, new = said(former, "arguments"), said(now, "arguments")
    more = new.removeprefix(old).removeprefix(", ")
    return new.startswith(old) and all(" DEFAULT " in part for part in more.split(", ") if part)


def _triggered(look: Look, function: Thing) -> bool:
    """Whether a trigger runs it on writes of the running version."""
    return any(t.kind == "trigger" and said(t, "function") == function.name for t in look.before.values())


def trigger_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One trigger on a table or view that was there."""
    before, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        if said(before, "enabled") not in DEAF:
            yield Mark("trigger-dropped", before, "is dropped")
    elif difference.how is How.ADDED:
        if said(before, "enabled") not in DEAF:
            yield Mark("trigger-added", before, f"is new: {said(before, 'definition')}")
    elif after is not None and difference.fields != ("name",):
        yield Mark("trigger-changed", before, f"has other {', '.join(f for f in difference.fields if f != 'name')}")


def rule_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One rule on a table or view that was there."""
    words = {How.REMOVED: "is dropped", How.ADDED: "is new", How.CHANGED: "is another one now"}
    if difference.fields != ("name",):
        yield Mark("rule-changed", difference.thing, words[difference.how])


def policy_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One policy. Where row security is off, before and after, none of them counts."""
    policy = difference.thing
    if not _secured(look, policy):
        return
    if difference.how is How.CHANGED:
        if difference.fields != ("name",):
            yield Mark("policy-changed", policy, "is another one now")
    elif bool(policy.facts.get("permissive")) is (difference.how is How.ADDED):
        yield Mark("policy-added", policy, "lets more rows be seen or written")
    else:
        yield Mark("policy-changed", policy, "lets fewer rows be seen or written")


def _secured(look: Look, policy: Thing) -> bool:
    tables = (look.before.get(policy.of), look.after.get(policy.of))
    return any(table is not None and bool(table.facts.get("row_security")) for table in tables)


def type_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One enum, domain, composite or range type."""
    before, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        yield Mark("type-dropped", before, "is dropped")
    elif difference.how is How.CHANGED and after is not None:
        if "name" in difference.fields:
            yield Mark("type-dropped", before, f"is called {after.name} now")
        if "labels" in difference.fields:
            yield _labels(before, after)
        elif before.kind == "domain":
            yield from _domain(before, after, difference.fields)
        elif "definition" in difference.fields:
            yield Mark("type-altered", before, f"was {said(before, 'definition')} and is {said(after, 'definition')}")


def _labels(before: Thing, after: Thing) -> Mark:
    former, now = said(before, "labels").split("\n"), said(after, "labels").split("\n")
    added = [label for label in now if label not in former]
    if [label for label in now if label in former] == former:
        return Mark("enum-value-added", before, f"has the new value {', '.join(added)}")
    gone = [label for label in former if label not in now]
    return Mark("enum-value-changed", before, f"has no value {', '.join(gone)} any more" if gone else "is sorted anew")


def _domain(before: Thing, after: Thing, fields: tuple[str, ...]) -> Iterator[Mark]:
    if "not_null" in fields:
        yield Mark(
            "domain-tightened" if after.facts.get("not_null") else "domain-changed", before, "changes its NOT NULL"
        )
    if "checks" in fields:
        former, now = _checks(before), _checks(after)
        new = [check for check in now if check not in former and not any(only_wider(old, check) for old in former)]
        if new:
            yield Mark("domain-tightened", before, f"has the new {'; '.join(new)}")
        else:
            yield Mark("domain-changed", before, "checks less")
    if "type" in fields or "collation" in fields:
        yield Mark("type-altered", before, f"stands on {said(after, 'type')} now")
    if "default" in fields:
        yield Mark("domain-changed", before, f"has the default {said(after, 'default') or 'NULL'}")


def _checks(domain: Thing) -> list[str]:
    """The checks of a domain without their names, and without whether they were validated."""
    return [
        "CHECK " + line.partition(" CHECK ")[2].removesuffix(" NOT VALID")
        for line in said(domain, "checks").split("\n")
        if line
    ]


def grant_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """The rights of one grantee on one thing."""
    before = difference.thing
    if difference.how is How.ADDED:
        return
    former = _rights(before)
    lost = former - (_rights(difference.after) if difference.after is not None else set())
    if lost and not _owner_moved(look, before):
        yield Mark("grant-revoked", before, f"loses {', '.join(sorted(lost))}")


def _rights(grant: Thing) -> set[str]:
    """Each right, and the right to pass it on as one more."""
    rights: set[str] = set()
    for right in said(grant, "privileges").split(", "):
        bare = right.removesuffix(" WITH GRANT OPTION")
        rights |= {bare, right} - {""}
    return rights


def _owner_moved(look: Look, grant: Thing) -> bool:
    """Whether the thing has another owner now: that is told, and its rights went with it."""
    before, after = look.before.get(grant.of), look.after.get(grant.of)
    return (
        before is not None
        and after is not None
        and said(before, "owner") != said(after, "owner")
        and said(grant, "grantee") == said(before, "owner")
    )


def schema_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One schema."""
    before, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        yield Mark("schema-dropped", before, "is dropped")
    elif difference.how is How.CHANGED and after is not None:
        if "name" in difference.fields:
            yield Mark("schema-dropped", before, f"is called {after.name} now")
        if "owner" in difference.fields:
            yield Mark("owner-changed", before, f"belongs to {said(after, 'owner')} now")


def other_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """Whatever is rare: extensions, operators, casts, collations, publications, statistics, default grants."""
    thing, after = difference.thing, difference.after
    if thing.kind in ("statistics", "default_grant"):
        return  # they change plans, or what is made later
    if difference.how is How.REMOVED:
        yield Mark("extension-dropped" if thing.kind == "extension" else "object-dropped", thing, "is dropped")
    elif difference.how is How.CHANGED and after is not None:
        if "name" in difference.fields:
            yield Mark("object-dropped", thing, f"is called {last_part(after.name)} now")
        else:
            yield Mark("object-changed", thing, f"is another one now ({', '.join(difference.fields)})")
    elif thing.kind in ("cast", "event_trigger"):
        yield Mark("object-changed", thing, "is new, and counts for what was there")
