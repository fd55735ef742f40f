"""Whatever two catalogues hold, there is a verdict: nobody at 3 a.m. gets a traceback instead."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.domain.breaks import RULES
from bluegreen.domain.catalogue import Thing
from bluegreen.domain.findings import Gate
from bluegreen.domain.kinds import KINDS
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.schema import judge
from bluegreen.domain.seen import FileSeen, LockSeen, ProbeSeen, QuerySeen, StatementSeen, TableSize
from tests.domain.sketches import migration

FACTS = (
    "type", "not_null", "default", "identity", "generated", "collation", "definition", "validated", "unique", "valid",
    "labels", "checks", "arguments", "result", "source", "privileges", "grantee", "partition_of", "inherits", "bound",
    "owner", "options", "row_security", "populated", "increment", "minimum", "maximum", "position", "owned_by",
    "permissive", "enabled", "function", "version", "partitioned", "persistence", "constraint", "filenode", "cycle",
)  # fmt: skip
WORDS = st.sampled_from(
    ["", "public.a", "public.b", 'public."B c"', "integer", "numeric(10,2)", "character varying(5)", "a\nb",
     "CHECK ((a > 0)) NOT VALID", "CREATE UNIQUE INDEX i ON public.a USING btree (a, b)",
     "FOREIGN KEY (a) REFERENCES b",
     "f", "c", "u", " SELECT a FROM b;", "nextval('public.b'::regclass)", "DEFAULT", "stored: (a)::integer / b",
     "CHECK ((a = ANY (ARRAY['x'::text])))", "1", "-7", "SELECT, UPDATE"]
)  # fmt: skip
NUMBERS = st.sampled_from([0, 1, -1, 99])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    name: NUMBERS
    if name in ("increment", "minimum", "maximum", "filenode")
    else st.one_of(WORDS, st.booleans(), st.none())
    for name in FACTS
}
KEYS = st.sampled_from([f"{kind}:{n}" for kind in (*RULES, "extension", "cast") for n in (1, 2, 3)])


@st.composite
def things(draw: st.DrawFn) -> Thing:
    key = draw(KEYS)
    facts = draw(st.fixed_dictionaries({}, optional=VALUES))
    name = draw(
        st.sampled_from(["public.a", "public.b", "public.a.c", "c on public.a", 'public."B c"', "f(integer)", "x"])
    )
    of = draw(st.sampled_from(["", "table:1", "table:2", "view:1", "table:9"]))
    return Thing(key.partition(":")[0], key, name, of, facts)


CATALOGUES = st.lists(things(), max_size=6).map(lambda found: {each.key: each for each in found})
MODES = st.sampled_from(["ACCESS EXCLUSIVE", "SHARE", "ROW EXCLUSIVE", "UNHEARD OF"])
LOCKS = st.builds(LockSeen, KEYS, st.just("public.a"), MODES, st.booleans())
DANGERS = st.tuples(
    st.sampled_from([*KINDS, "unheard-of"]), st.sampled_from(["", "a", "public.a(x)=y", "::int", "/", '"'])
).map(tuple)
SIZES = st.builds(TableSize, st.integers(-1, 10**9), st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0, 1000))


@settings(max_examples=150, deadline=None)
@given(
    before=CATALOGUES,
    after=CATALOGUES,
    phase=st.sampled_from(MigrationPhase),
    locks=st.lists(LOCKS, max_size=3).map(tuple),
    dangers=st.lists(DANGERS, max_size=2).map(tuple),
    touched=st.lists(KEYS, max_size=2).map(tuple),
    size=SIZES,
    found=st.one_of(st.none(), st.integers(0, 5)),
    seconds=st.floats(0, 100),
)
def test_judging_never_raises(
    before: Any, after: Any, phase: MigrationPhase, locks: Any, dangers: Any, touched: Any, size: TableSize, found: Any,
    seconds: float,
) -> None:  # fmt: skip
    statement = StatementSeen(
        1, "ALTER …", locks, touched, touched[:1], dangers, before=before, after=after, seconds=seconds
    )
    probes = tuple(
        ProbeSeen(kind, key, "public.a", found) for kind in ("rows", "nulls", "partition") for key in touched
    )
    verdict = judge(
        FileSeen(
            migration(phase),
            before,
            after,
            (statement,),
            (QuerySeen("SELECT", sqlstate="42P01", message='relation "public.a" is gone'),),
            probes,
            {"public.a": size},
            {"column-dropped": "fine"},
        )
    )
    assert verdict.gate in Gate
    for finding in verdict.findings:
        assert finding.kind in KINDS
        assert finding.message
        assert finding.estimate_s is None or finding.estimate_s[0] <= finding.estimate_s[1]


@given(CATALOGUES)
def test_where_nothing_changed_nothing_is_told(catalogue: Any) -> None:
    seen = FileSeen(migration(), catalogue, catalogue, (StatementSeen(1, "x", before=catalogue, after=catalogue),))
    assert judge(seen).findings == ()
