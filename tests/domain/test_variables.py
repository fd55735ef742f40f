"""What is said of the variables of two colours and of a release's example: each kind of thing, and no value."""

import pytest

from bluegreen.adapters.variables.fingerprints import Fingerprints
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import Rules, fits, names_of, renames
from bluegreen.domain.variables import Given, Kind, Level, Prints, changed, compare

TAKEN = Fingerprints(b"k" * 32)


def prints(values: dict[str, str] | None) -> Prints | None:
    return None if values is None else {name: TAKEN.of(value) for name, value in values.items()}


def given(
    idle: dict[str, str],
    live: dict[str, str] | None = None,
    example: dict[str, str] | None = None,
    former: dict[str, str] | None = None,
    renamed: dict[str, str] | None = None,
) -> Given:
    return Given(
        prints(idle) or {}, prints(live), prints(example), prints(former), renamed or {}, Colour.GREEN, "1.2.0"
    )


def found(what: Given, rules: Rules | None = None) -> list[tuple[Kind, Level, tuple[str, ...]]]:
    return [(each.kind, each.level, each.keys) for each in compare(what, rules or Rules())]


NOTE, WARNING, REFUSED = Level
CALLED_OTHERWISE = {"SESSION_SECRET": "COOKIE_SECRET"}
SAID = {
    "all is the same": (given({"A": "1"}, {"A": "1"}, {"A": "x"}), []),
    "missing on the idle colour": (given({}, {"A": "1"}, {"A": ""}), [(Kind.MISSING, WARNING, ("A",))]),
    "new and missing": (given({}, {}, {"A": ""}), [(Kind.MISSING, WARNING, ("A",))]),
    "new and set": (given({"A": "1"}, {}, {"A": ""}), [(Kind.NEW, NOTE, ("A",))]),
    "unknown on both": (given({"A": "1"}, {"A": "1"}, {}), [(Kind.UNKNOWN, NOTE, ("A",))]),
    "unknown on the idle one alone: misspelt?": (given({"A": "1"}, {}, {}), [(Kind.UNKNOWN, WARNING, ("A",))]),
    "gone with the release": (given({}, {"A": "1"}, {}), [(Kind.GONE, NOTE, ("A",))]),
    "gone without an example": (given({}, {"A": "1"}), [(Kind.GONE, WARNING, ("A",))]),
    "new without an example": (given({"A": "1"}, {}), [(Kind.NEW, NOTE, ("A",))]),
    "another value": (given({"A": "1"}, {"A": "2"}, {"A": ""}), [(Kind.CHANGED, NOTE, ("A",))]),
    "another password": (
        given({"SMTP_PASSWORD": "1"}, {"SMTP_PASSWORD": "2"}),
        [(Kind.UNLIKE, WARNING, ("SMTP_PASSWORD",))],
    ),
    "ports differ": (given({"HTTP_PORT": "1"}, {"HTTP_PORT": "2"}), []),
    "application names must": (given({"PGAPPNAME": "a"}, {"PGAPPNAME": "a"}), [(Kind.ALIKE, WARNING, ("PGAPPNAME",))]),
    "DSNs but for the application_name": (
        given(
            {"DSN": "postgres://u:p@db/x?application_name=green&sslmode=require"},
            {"DSN": "postgres://u:p@db/x?application_name=blue&sslmode=require"},
        ),
        [],
    ),
    "DSNs of other databases": (
        given({"DSN": "postgres://u:p@db/x?application_name=g"}, {"DSN": "postgres://u:p@db/y?application_name=b"}),
        [(Kind.UNLIKE, WARNING, ("DSN",))],
    ),
    "renamed, and the idle colour has the old name": (
        given({"OLD": "1"}, {"OLD": "1"}, {"NEW": ""}, renamed={"OLD": "NEW"}),
        [(Kind.RENAMED, WARNING, ("OLD", "NEW"))],
    ),
    "renamed, and done": (
        given({"NEW": "1"}, {"OLD": "1"}, {"NEW": ""}, renamed={"OLD": "NEW"}),
        [(Kind.NEW, NOTE, ("NEW",))],
    ),
    "renamed, and the old one is left": (
        given({"NEW": "1", "OLD": "1"}, {"OLD": "1"}, {"NEW": ""}, renamed={"OLD": "NEW"}),
        [(Kind.RENAMED, NOTE, ("OLD", "NEW")), (Kind.NEW, NOTE, ("NEW",))],
    ),
    "a session secret under its new name": (
        given({"COOKIE_SECRET": "1"}, {"SESSION_SECRET": "1"}, {"COOKIE_SECRET": ""}, renamed=CALLED_OTHERWISE),
        [(Kind.NEW, NOTE, ("COOKIE_SECRET",))],
    ),
    "another session secret under its new name": (
        given({"COOKIE_SECRET": "2"}, {"SESSION_SECRET": "1"}, {"COOKIE_SECRET": ""}, renamed=CALLED_OTHERWISE),
        [(Kind.SESSION, REFUSED, ("COOKIE_SECRET",)), (Kind.NEW, NOTE, ("COOKIE_SECRET",))],
    ),
    "a secret as the example has it": (
        given({"API_TOKEN": "change-me"}, {"API_TOKEN": "change-me"}, {"API_TOKEN": "change-me"}),
        [(Kind.PUBLIC, WARNING, ("API_TOKEN",))],
    ),
    "the example has another value now": (
        given({"LOG": "json"}, {"LOG": "json"}, {"LOG": "logfmt"}, {"LOG": "json"}),
        [(Kind.DEFAULT, NOTE, ("LOG",))],
    ),
    "the live colour is not known": (given({"A": "1"}, None, {"A": "", "B": ""}), [(Kind.MISSING, WARNING, ("B",))]),
    "another cookie secret": (
        given({"SECRETS_COOKIE": "new"}, {"SECRETS_COOKIE": "old"}),
        [(Kind.SESSION, REFUSED, ("SECRETS_COOKIE",))],
    ),
    "a cookie secret that only the live colour has": (
        given({}, {"SECRETS_COOKIE": "old"}, {"SECRETS_COOKIE": ""}),
        [(Kind.SESSION, REFUSED, ("SECRETS_COOKIE",)), (Kind.MISSING, WARNING, ("SECRETS_COOKIE",))],
    ),
    "a cookie secret that only the idle colour has": (
        given({"SECRETS_COOKIE": "new"}, {}, {"SECRETS_COOKIE": ""}),
        [(Kind.NEW, NOTE, ("SECRETS_COOKIE",))],
    ),
}


@pytest.mark.parametrize(("what", "said"), SAID.values(), ids=SAID.keys())
def test_what_is_said(what: Given, said: list[tuple[Kind, Level, tuple[str, ...]]]) -> None:
    assert found(what) == said


ROTATIONS = {
    "the same": ("a", "a", None),
    "first, both accept the new one": ("old", "old,new", NOTE),
    "then the new one signs": ("old,new", "new,old", NOTE),
    "then the old one goes": ("new,old", "new", WARNING),
    "both steps at once": ("old", "new,old", WARNING),
    "all at once": ("old", "new", REFUSED),
    "what signs is dropped": ("old,older", "older", REFUSED),
    "another order of what is only accepted": ("a,b,c", "a,c,b", NOTE),
    "blanks and quotes": ("a, b", '["a","b"]', None),
    "a list in YAML": ("a,b", "[a, 'b']", None),
    "a secret is emptied": ("a", "", REFUSED),
    "none before": ("", "a", None),
}


@pytest.mark.parametrize(("live", "idle", "level"), ROTATIONS.values(), ids=ROTATIONS.keys())
@pytest.mark.parametrize("name", ["SECRETS_COOKIE", "KRATOS_SECRETS_CIPHER", "secret_key_base"])
def test_a_list_of_secrets_signs_with_its_first_and_accepts_all(
    name: str, live: str, idle: str, level: Level | None
) -> None:
    said = found(given({name: idle}, {name: live}))
    assert said == ([] if level is None else [(Kind.SESSION, level, (name,))])


def test_numbered_and_former_secrets_make_a_list() -> None:
    live = {"SECRETS_COOKIE_0": "old"}
    assert found(given({"SECRETS_COOKIE_0": "old", "SECRETS_COOKIE_1": "new"}, live))[0][:2] == (Kind.SESSION, NOTE)
    assert found(given({"SECRETS_COOKIE_0": "new", "SECRETS_COOKIE_1": "old"}, live))[0][:2] == (Kind.SESSION, WARNING)
    assert found(given({"SECRETS_COOKIE_0": "new"}, live)) == [(Kind.SESSION, REFUSED, ("SECRETS_COOKIE",))]
    django = found(given({"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": "old"}, {"SECRET_KEY": "old"}))
    assert django[0] == (Kind.SESSION, WARNING, ("SECRET_KEY",))


def test_a_change_in_one_step_says_the_three_deployments() -> None:
    (said,) = compare(given({"SECRETS_SYSTEM": "new,old"}, {"SECRETS_SYSTEM": "old"}), Rules())
    assert 'Deploy "old,new" first, then "new,old", then "new"' in said.text
    assert "a cutback would end" in said.text


def test_who_says_that_a_secret_differs_is_believed() -> None:
    rules = Rules(differ=("SECRETS_COOKIE",))
    assert found(given({"SECRETS_COOKIE": "b"}, {"SECRETS_COOKIE": "a"}), rules) == []
    assert found(given({"SECRETS_COOKIE": "a"}, {"SECRETS_COOKIE": "a"}), rules)[0][0] is Kind.ALIKE


def test_who_wants_it_is_refused_for_what_is_missing() -> None:
    rules = Rules(refuse_missing=True)
    assert found(given({}, {"A": "1"}, {"A": ""}), rules) == [(Kind.MISSING, REFUSED, ("A",))]


def test_what_is_ignored_is_not_looked_at() -> None:
    rules = Rules(ignore=("SECRETS_*", "A"))
    assert found(given({"SECRETS_COOKIE": "b"}, {"SECRETS_COOKIE": "a", "A": "1"}, {"A": ""}), rules) == []


def test_what_changes_is_what_differs_beyond_what_always_does() -> None:
    what = given({"A": "2", "B": "1", "HTTP_PORT": "1", "D": ""}, {"A": "1", "B": "1", "HTTP_PORT": "2", "C": ""})
    assert changed(what, Rules()) == ("A", "C", "D")


RENAMES = {
    "`SMTP_URL` renamed to `COURIER_SMTP_URI`": ("SMTP_URL", "COURIER_SMTP_URI"),
    "- **rename** Renamed SMTP_URL to COURIER_SMTP_URI.": ("SMTP_URL", "COURIER_SMTP_URI"),
    "rename the variable `SMTP_URL` to `COURIER_SMTP_URI`": ("SMTP_URL", "COURIER_SMTP_URI"),
    "* SMTP_URL -> COURIER_SMTP_URI (#12)": ("SMTP_URL", "COURIER_SMTP_URI"),
    "`SMTP_URL` → `COURIER_SMTP_URI`": ("SMTP_URL", "COURIER_SMTP_URI"),
    "SMTP_URL has been renamed to COURIER_SMTP_URI": ("SMTP_URL", "COURIER_SMTP_URI"),
    "SMTP_URL is replaced by COURIER_SMTP_URI": ("SMTP_URL", "COURIER_SMTP_URI"),
    "renamed the table users to people": None,
    "GET -> POST": ("GET", "POST"),
}


@pytest.mark.parametrize(("line", "pair"), RENAMES.items(), ids=RENAMES.keys())
def test_a_changelog_says_what_was_renamed(line: str, pair: tuple[str, str] | None) -> None:
    assert renames(f"## 1.2.0\n{line}\n") == ({} if pair is None else {pair[0]: pair[1]})


def test_a_line_without_end_costs_no_time() -> None:
    assert renames("A" * 1_000_000) == {}
    assert renames(("A" * 1900 + "\n") * 200) == {}


def test_a_rename_of_what_stands_in_no_example_is_no_rename() -> None:
    assert found(given({"GET": "1"}, {"GET": "1"}, {"GET": ""}, renamed={"GET": "POST"})) == []


def test_names_fit_patterns_in_either_case() -> None:
    assert fits("smtp_password", ("*PASSWORD*",))
    assert fits("A1", ("A?",))
    assert not fits("MONKEY", ("*_KEY",))
    assert not fits("ANY", ())


def test_a_long_list_of_names_is_cut() -> None:
    assert names_of([f"N{number:02}" for number in range(20)]).endswith("N11 and 8 more")


def test_the_worst_comes_first_and_no_value_anywhere() -> None:
    what = given(
        {"SECRETS_COOKIE": "hunter2", "A": "hunter3", "DSN": "postgres://u:hunter4@h/d"},
        {"SECRETS_COOKIE": "hunter5", "A": "hunter6"},
        {"B": "hunter7"},
    )
    findings = compare(what, Rules())
    assert [each.level for each in findings] == sorted((each.level for each in findings), key=[*Level].index)[::-1]
    assert findings[0].level is REFUSED
    assert "hunter" not in repr(findings) + repr(what)
