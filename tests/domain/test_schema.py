"""What a change of the catalogue means for the version that is running: one line for each."""

import pytest

from bluegreen.domain.catalogue import Catalogue, Thing
from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import MigrationPhase
from tests.domain.sketches import catalogue, column, constraint, index, table, thing, told, verdict

ID = column("id", "bigint", not_null=True)
KEY = constraint("users_pkey", "p", "PRIMARY KEY (id)")
KEY_INDEX = index("users_pkey", "btree (id)", unique=True, primary=True)
EMAIL = column("email", not_null=True)
NOTE = column("note")
PRICE = column("price", "integer")
SIZE = constraint("size", "c", "CHECK ((price > 0))")
OLD = [*table(), ID, KEY, KEY_INDEX, EMAIL, NOTE, PRICE]
NEW = column("plan")


def old(*more: Thing | list[Thing], without: tuple[Thing, ...] = ()) -> Catalogue:
    """The table that is there in every example, changed."""
    gone = {t.key for t in without}
    return catalogue([t for t in OLD if t.key not in gone], *more)


def changed(thing: Thing, **facts: object) -> Thing:
    """The same thing with other facts, or another name."""
    name = str(facts.pop("name", thing.name))
    return Thing(thing.kind, thing.key, name, thing.of, {**thing.facts, **facts})  # type: ignore[dict-item]


VIEW = thing("view", "public.seen", definition=" SELECT id, email FROM users;", owner="app")
SHIM = thing(
    "view", "public.users", key="view:1", definition=" SELECT id, email, note, price FROM people;", owner="app"
)
MOVED = changed(OLD[0], name="public.people")
RULED = changed(OLD[0], row_security=True)
TRIGGER = thing("trigger", "stamp on public.users", "table:public.users", definition="stamp", enabled="O",
                function="public.stamp()")  # fmt: skip
STAMP = thing("function", "public.stamp()", arguments="", result="trigger", source="a", language="plpgsql")
SLUG = thing("function", "public.slug(text)", arguments="given text", result="text", source="a")
COLOURS = thing("enum", "public.colour", labels="red\nblue")
EMAILS = thing(
    "domain", "public.mail", type="text", not_null=False, default=None, checks="c CHECK ((VALUE <> ''::text))"
)
NUMBERS = thing(
    "sequence", "public.numbers", increment=1, minimum=1, maximum=99, cycle=False, position="41", owner="app"
)
POLICY = thing("policy", "own on public.users", "table:public.users", definition="…", permissive=True)
ALLOWED = constraint("plans", "c", "CHECK ((note = ANY (ARRAY['a'::text, 'b'::text])))")
PART = table("public.part", partition_of="public.users", bound="FOR VALUES IN (1)")
REST = table("public.rest", partition_of="public.users", bound="DEFAULT")


def like(view: Thing, *columns: str) -> list[Thing]:
    """A view with these columns, or all of the table's."""
    types = {"id": "bigint", "price": "integer"}
    names = columns or ("id", "email", "note", "price")
    return [
        view,
        *(thing("column", f"{view.name}.{n}", view.key, f"{view.key}.{n}", type=types.get(n, "text")) for n in names),
    ]


FREE = {
    "a new table": old(table("public.orders", column("id", of="public.orders", not_null=True))),
    "a nullable column": old(NEW),
    "a column with a default": old(changed(NEW, not_null=True, default="'free'::text")),
    "an identity column": old(column("no", "bigint", not_null=True, identity="always")),
    "a worked out column": old(column("lower", generated="stored: lower(email)")),
    "a column worked out by a cast that fits": old(
        column("wide", "bigint", generated="stored: ((price)::bigint * 12)")),
    "a column worked out from numbers": old(
        column("cents", "numeric", generated="virtual: ((price)::numeric * (100)::numeric)")),
    "an index": old(index("by_note", "btree (note)")),
    "a unique index on more than the key": old(index("more", "btree (id, note)", unique=True)),
    "a unique index on a new nullable column": old(NEW, index("plans", "btree (plan)", unique=True)),
    "a foreign key on a new nullable column": old(NEW, constraint("f", "f", "FOREIGN KEY (plan) REFERENCES plans(id)")),
    "a check on a new nullable column": old(NEW, constraint("c", "c", "CHECK ((plan <> ''::text))")),
    "a check that says what NOT NULL said": old(constraint("c", "c", "CHECK ((email IS NOT NULL)) NOT VALID")),
    "a constraint that is not enforced": old(constraint("c", "c", "CHECK ((note <> ''::text)) NOT ENFORCED")),
    "a type": old(COLOURS),
    "a function": old(SLUG),
    "a view": old(like(VIEW)),
    "a grant": old(
        thing("grant", "grant on public.users to eve", "table:public.users", grantee="eve", privileges="SELECT")),
    "a policy where none counts": old(POLICY),
    "a trigger that is disabled": old(changed(TRIGGER, enabled="D")),
    "a partition": old(table("public.part", partition_of="public.orders", bound="FOR VALUES IN (1)")),
    "a sequence": old(NUMBERS),
    "a comment, statistics, storage": old(),
}  # fmt: skip


@pytest.mark.parametrize("after", FREE.values(), ids=FREE.keys())
def test_what_is_new_and_binds_nobody_is_allowed(after: Catalogue) -> None:
    found = verdict(old(), after)
    assert (told(found), found.gate) == ({}, Gate.ALLOW)


R, W, A = "refuse", "warn", "allow"
CHANGES = {
    "a column dropped": (old(), old(without=(NOTE,)), {"column-dropped": R}),
    "a column renamed": (old(), old(changed(NOTE, name="public.users.notes")), {"column-renamed": R}),
    "a column dropped and added again": (
        old(), old(column("note", key="column:9"), without=(NOTE,)), {"column-dropped": R}),
    "a required column": (old(), old(changed(NEW, not_null=True)), {"column-required": R}),
    "a required column of a domain": (
        old(), old(thing("domain", "public.must", type="text", not_null=True), changed(NEW, type="public.must")),
        {"column-required": R}),
    "a column that can fail": (old(), old(column("d", generated="stored: ((note)::integer)")), {"may-fail-on-rows": R}),
    "a wider type": (old(), old(changed(PRICE, type="bigint")), {"type-widened": W}),
    "another type": (old(), old(changed(PRICE, type="text")), {"type-changed": R}),
    "NOT NULL": (old(), old(changed(NOTE, not_null=True)), {"not-null-added": R}),
    "NOT NULL after its check": (
        old(constraint("c", "c", "CHECK ((note IS NOT NULL))")),
        old(constraint("c", "c", "CHECK ((note IS NOT NULL))"), changed(NOTE, not_null=True)), {}),
    "NULL": (old(), old(changed(EMAIL, not_null=False)), {"not-null-dropped": W}),
    "a first default": (old(), old(changed(NOTE, default="'x'::text")), {"default-added": W}),
    "another default": (
        old(changed(NOTE, default="'x'::text")), old(changed(NOTE, default="'y'::text")), {"default-changed": R}),
    "a default of the same sort": (
        old(changed(NOTE, default="now()")), old(changed(NOTE, default="clock_timestamp()")), {"default-added": W}),
    "a needed default dropped": (old(changed(EMAIL, default="'x'::text")), old(), {"default-dropped": R}),
    "always its own number": (old(), old(changed(ID, identity="always")), {"identity-changed": R}),
    "a collation": (old(), old(changed(NOTE, collation='"C"')), {"collation-changed": R}),
    "no longer worked out": (old(changed(NOTE, generated="stored: lower(email)")), old(), {"generated-changed": R}),
    "a table dropped": (old(), {}, {"table-dropped": R}),
    "a table made again": (
        old(), catalogue(table(key="table:9")), {"table-dropped": R}),
    "a sequence made again": (
        old(NUMBERS), old(Thing("sequence", "sequence:9", NUMBERS.name, "", NUMBERS.facts)), {"sequence-dropped": R}),
    "a table renamed": (old(), old(MOVED), {"table-renamed": R}),
    "a table behind a view": (old(), old(MOVED, *like(SHIM)), {"renamed-with-view": W}),
    "a table behind a view with fewer columns": (old(), old(MOVED, *like(SHIM, "id", "note")), {"table-renamed": R}),
    "a table behind a view that goes past its policies": (
        old(RULED), old(changed(RULED, name="public.people"), *like(SHIM)), {"table-renamed": R}),
    "a table behind a view, its column renamed": (
        old(), old(MOVED, *like(SHIM), changed(NOTE, name="public.people.remark")), {"renamed-with-view": W}),
    "an unlogged table": (old(), old(changed(OLD[0], persistence="unlogged")), {"unlogged": R}),
    "row security": (old(), old(RULED), {"row-security-changed": R}),
    "no row security": (old(RULED), old(), {"row-security-dropped": W}),
    "another owner": (old(), old(changed(OLD[0], owner="eve")), {"owner-changed": R}),
    "an old table attached": (
        old(table("public.part")), old(table("public.part", partition_of="public.users")), {"partition-attached": R}),
    "a partition detached": (old(PART), old(table("public.part")), {"partition-detached": R}),
    "a partition beside a default one": (old(REST), old(REST, PART), {"default-partition-scanned": R}),
    "a new child of an old table": (
        old(), old(table("public.more", inherits="public.users")), {"inheritance-changed": R}),
    "a check": (old(), old(SIZE), {"check-added": R}),
    "a check of new rows only": (old(), old(constraint("c", "c", "CHECK ((price > 0)) NOT VALID")), {"check-added": R}),
    "a check that wants a new column": (
        old(), old(NEW, constraint("c", "c", "CHECK ((plan IS NOT NULL)) NOT VALID")), {"check-added": R}),
    "a longer list": (
        old(ALLOWED), old(changed(ALLOWED, definition="CHECK ((note = ANY (ARRAY['a'::text, 'b'::text, 'c'::text])))")),
        {"check-widened": A}),
    "a wider limit": (
        old(changed(SIZE, definition="CHECK ((price >= (0)::numeric))")),
        old(changed(SIZE, definition="CHECK ((price >= ('-100'::integer)::numeric))")), {"check-widened": A}),
    "a narrower limit": (
        old(SIZE), old(changed(SIZE, definition="CHECK ((price > 10))")), {"constraint-changed": R}),
    "a shorter list": (
        old(ALLOWED), old(changed(ALLOWED, definition="CHECK ((note = ANY (ARRAY['a'::text, 'c'::text])))")),
        {"constraint-changed": R}),
    "a longer list under another name": (
        old(ALLOWED), old(constraint("c", "c", "CHECK ((note = ANY (ARRAY['a'::text, 'b'::text, 'c'::text])))")),
        {"check-widened": A}),
    "a check validated": (
        old(changed(SIZE, definition="CHECK ((price > 0)) NOT VALID", validated=False)), old(SIZE), {}),
    "a check dropped": (old(SIZE), old(), {"constraint-dropped": W}),
    "a unique constraint": (old(), old(constraint("u", "u", "UNIQUE (email)")), {"unique-added": R}),
    "a unique index": (old(), old(index("u", "btree (lower(email))", unique=True)), {"unique-added": R}),
    "a unique index on a new column with one default": (
        old(), old(changed(NEW, default="'x'::text"), index("u", "btree (plan)", unique=True)), {"unique-added": R}),
    "a constraint on an index that is there": (
        old(index("u", "btree (email)", unique=True)),
        old(index("u", "btree (email)", unique=True, constraint="u"), constraint("u", "u", "UNIQUE (email)")), {}),
    "a unique index dropped": (old(index("u", "btree (email)", unique=True)), old(), {"unique-dropped": R}),
    "a unique constraint that is deferrable now": (
        old(constraint("u", "u", "UNIQUE (email)"), index("u", "btree (email)", unique=True, constraint="u")),
        old(
            constraint("v", "u", "UNIQUE (email) DEFERRABLE"),
            index("v", "btree (email)", unique=True, constraint="v"),
        ), {"unique-dropped": R}),
    "the same under its name": (
        old(constraint("u", "u", "UNIQUE (email)"), index("u", "btree (email)", unique=True, constraint="u")),
        old(
            constraint("u", "u", "UNIQUE (email) DEFERRABLE"),
            index("u", "btree (email)", unique=True, constraint="u")),
        {"constraint-changed": R}),
    "a unique index swapped": (
        old(index("u", "btree (email)", unique=True)), old(index("v", "btree (email)", unique=True)), {}),
    "an index dropped": (old(index("i", "btree (email)")), old(), {"index-dropped": W}),
    "an index left invalid": (old(), old(index("i", "btree (email)", valid=False)), {"index-invalid": R}),
    "an index that can fail": (old(), old(index("i", "btree (((note)::integer))")), {"may-fail-on-rows": R}),
    "a foreign key": (
        old(), old(constraint("f", "f", "FOREIGN KEY (note) REFERENCES plans(id) NOT VALID")),
        {"foreign-key-added": R}),
    "a foreign key with a default": (
        old(), old(changed(NEW, default="'x'::text"), constraint("f", "f", "FOREIGN KEY (plan) REFERENCES plans(id)")),
        {"foreign-key-added": R}),
    "a foreign key with a default that the file brings": (
        old(),
        old(changed(NEW, default="'x'::text"), table("public.plans"),
            constraint("f", "f", "FOREIGN KEY (plan) REFERENCES public.plans(id)", references="public.plans")), {}),
    "a cascade dropped": (
        old(constraint("f", "f", "FOREIGN KEY (note) REFERENCES plans(id) ON DELETE CASCADE")), old(),
        {"cascade-dropped": R}),
    "an exclusion": (old(), old(constraint("x", "x", "EXCLUDE USING gist (note WITH =)")), {"exclusion-added": R}),
    "a trigger": (old(), old(TRIGGER), {"trigger-added": R}),
    "a trigger dropped": (old(TRIGGER), old(), {"trigger-dropped": R}),
    "a trigger disabled": (old(TRIGGER), old(changed(TRIGGER, enabled="D")), {"trigger-changed": R}),
    "a trigger made again": (
        old(TRIGGER), old(Thing("trigger", "trigger:9", TRIGGER.name, TRIGGER.of, TRIGGER.facts)), {}),
    "a trigger's function": (old(TRIGGER, STAMP), old(TRIGGER, changed(STAMP, source="b")), {"trigger-changed": R}),
    "a rule": (
        old(), old(thing("rule", "r on public.users", "table:public.users", definition="…")), {"rule-changed": R}),
    "a policy that shows more": (old(RULED), old(RULED, POLICY), {"policy-added": W}),
    "a policy that shows less": (old(RULED), old(RULED, changed(POLICY, permissive=False)), {"policy-changed": R}),
    "a view dropped": (old(like(VIEW)), old(), {"view-dropped": R}),
    "a view with a column more": (
        old(like(VIEW, "id", "email")),
        old(like(changed(VIEW, definition=" SELECT id, email, note FROM users;"), "id", "email", "note")),
        {"view-changed": W}),
    "a view of other rows": (
        old(like(VIEW)), old(like(changed(VIEW, definition=" SELECT id, email FROM users WHERE id > 5;"))),
        {"view-meaning-changed": R}),
    "a view that takes no rows any more": (
        old(like(VIEW)), old(like(changed(VIEW, definition=" SELECT DISTINCT id, email FROM users;"))),
        {"view-read-only": R}),
    "a view with a column less": (
        old(like(VIEW, "id", "email")), old(like(Thing("view", "view:9", VIEW.name, "", VIEW.facts), "id")),
        {"view-columns-changed": R}),
    "a materialised view emptied": (
        old(thing("matview", "public.m", definition="…", populated=True)),
        old(thing("matview", "public.m", definition="…", populated=False)), {"view-empty": R}),
    "a function dropped": (old(SLUG), old(), {"function-dropped": R}),
    "a function's body": (old(SLUG), old(changed(SLUG, source="b")), {"function-body-changed": W}),
    "a function's result": (old(SLUG), old(changed(SLUG, result="integer")), {"function-signature-changed": R}),
    "a function with a default more": (
        old(SLUG),
        old(thing("function", "public.slug(text,text)", arguments="given text, s text DEFAULT '-'", result="text")),
        {"function-body-changed": W}),
    "a function beside one": (
        old(SLUG), old(SLUG, thing("function", "public.slug(integer)", arguments="a integer", result="text")),
        {"function-overloaded": W}),
    "a type dropped": (old(COLOURS), old(), {"type-dropped": R}),
    "a value more": (old(COLOURS), old(changed(COLOURS, labels="red\ngreen\nblue")), {"enum-value-added": A}),
    "a value renamed": (old(COLOURS), old(changed(COLOURS, labels="red\nazure")), {"enum-value-changed": R}),
    "an enum made again with a value less": (
        old(COLOURS), old(Thing("enum", "enum:9", COLOURS.name, "", {"labels": "red"})), {"enum-value-changed": R}),
    "a tighter domain": (
        old(EMAILS), old(changed(EMAILS, checks="c CHECK ((VALUE <> ''::text))\nd CHECK ((VALUE ~~ '%@%'::text))")),
        {"domain-tightened": R}),
    "a looser domain": (old(EMAILS), old(changed(EMAILS, checks=None)), {"domain-changed": W}),
    "another part of a type": (
        old(thing("composite", "public.p", definition="a integer")),
        old(thing("composite", "public.p", definition="a integer, b text")), {"type-altered": R}),
    "a sequence dropped": (old(NUMBERS), old(), {"sequence-dropped": R}),
    "a sequence set back": (old(NUMBERS), old(changed(NUMBERS, position="1")), {"sequence-moved": R}),
    "a sequence that went on": (old(NUMBERS), old(changed(NUMBERS, position="42")), {}),
    "other steps": (old(NUMBERS), old(changed(NUMBERS, increment=10)), {"sequence-changed": R}),
    "more numbers": (old(NUMBERS), old(changed(NUMBERS, maximum=999)), {}),
    "a right less": (
        old(thing("grant", "grant on public.users to eve", "table:public.users", privileges="INSERT, SELECT")),
        old(thing("grant", "grant on public.users to eve", "table:public.users", privileges="SELECT")),
        {"grant-revoked": R}),
    "an extension dropped": (old(thing("extension", "hstore", version="1.8")), old(), {"extension-dropped": R}),
    "a schema dropped": (old(thing("schema", "shop", owner="app")), old(), {"schema-dropped": R}),
    "a cast": (old(), old(thing("cast", "cast from text to integer", definition="i")), {"object-changed": W}),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "kinds"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_what_was_there_is_told(before: Catalogue, after: Catalogue, kinds: dict[str, str]) -> None:
    assert told(verdict(before, after)) == kinds


@pytest.mark.parametrize(("before", "after", "kinds"), CHANGES.values(), ids=CHANGES.keys())
def test_in_a_contract_file_it_is_a_warning_but_for_what_hurts_whoever_runs(
    before: Catalogue, after: Catalogue, kinds: dict[str, str]
) -> None:
    always = {"index-invalid", "view-empty", "sequence-moved", "unlogged", "default-partition-scanned"}
    found = verdict(before, after, MigrationPhase.CONTRACT)
    assert (found.gate is Gate.REFUSE) == bool(kinds.keys() & always)


@pytest.mark.parametrize(("before", "after", "kinds"), CHANGES.values(), ids=CHANGES.keys())
def test_in_a_backfill_file_no_change_of_the_catalogue_is_taken(
    before: Catalogue, after: Catalogue, kinds: dict[str, str]
) -> None:
    moved = told(verdict(before, after, MigrationPhase.BACKFILL))
    assert set(moved.values()) <= {"refuse"}
    assert not kinds or moved.keys() <= {"not-a-backfill", "sequence-moved"}


def test_every_finding_names_its_statement_line_and_remedy() -> None:
    (found,) = verdict(old(), old(without=(NOTE,)), text="ALTER TABLE users\n  DROP note").findings
    assert (found.line, found.statement, found.object) == (3, "ALTER TABLE users DROP note", "public.users.note")
    assert found.message == "column public.users.note is dropped, with its values"
    assert "DROP COLUMN in a contract file" in found.remedy


def test_what_belongs_to_a_dropped_table_is_not_told_again() -> None:
    before = old(index("i", "btree (note)"), TRIGGER, SIZE)
    assert told(verdict(before, {})) == {"table-dropped": "refuse"}


def test_a_partition_follows_its_parent() -> None:
    parts = [*PART, column("id", "bigint", of="public.part")]
    plan = [column("plan", not_null=True), column("plan", of="public.part", not_null=True)]
    found = verdict(old(parts), old(parts, plan)).findings
    assert [finding.object for finding in found] == ["public.users.plan"]


def test_after_a_rename_the_texts_that_name_the_thing_are_as_they_were() -> None:
    check = constraint("c", "c", "CHECK ((note <> ''::text))")
    renamed = changed(check, definition="CHECK ((remark <> ''::text))")
    found = verdict(old(check), old(changed(NOTE, name="public.users.remark"), renamed))
    assert told(found) == {"column-renamed": "refuse"}
