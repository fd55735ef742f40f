"""`config docs` and `config show` are made from the model, and the model says all that an operator must know."""

from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.phases import Phase
from bluegreen.processes import INHERITED
from bluegreen.settings import Entry, Settings, documentation, documented, load, masked
from bluegreen.settings.section import keys, section_in
from tests.settings.conftest import Write

ENTRIES = documentation()
BY_KEY = {entry.key: entry for entry in ENTRIES}
BELONGS_TO_LATER_ISSUES = (
    "dashboard",
    "deadlines.awaiting",
)


def test_every_key_is_listed_once_with_type_default_and_meaning() -> None:
    assert len(BY_KEY) == len(ENTRIES)
    for entry in ENTRIES:
        assert entry.type, entry.key
        assert entry.default, entry.key
        assert entry.description.endswith((".", ")")), entry.key


@pytest.mark.parametrize(
    ("key", "type", "default"),
    [
        ("project", "name", "required"),
        ("daemon.state_dir", "file path", '"/var/lib/bluegreen"'),
        ("watch", "section", "optional"),
        ("watch.window", "duration", '"30m"'),
        ("watch.advanced.alpha", "percentage", '"0.1%"'),
        ("deadlines.watching", "duration", "not set"),
        ("backup.min_free", "size", '"1GiB"'),
        ("databases", "list of sections", "optional"),
        ("databases.dsn", "secret connection string", "required"),
        ("services", "list of sections", "required"),
        ("services.blue", "[address, ...]", "[]"),
        ("services.ready.status", "HTTP status, or a list of them", "[200]"),
        ("environments.<colour>", "section", "required"),
        ("environments.<colour>.pass", "[variable name, ...]", "[]"),
        ("environments.<colour>.environment", "{ variable name = text or credential }", "{}"),
        ("hooks.<name>", "section", "optional"),
        ("hooks.<name>.kind", '"alertmanager", "grafana" or "generic"', "required"),
        ("promotion.auto", "true or false", "false"),
        ("smoke.expect.json", "{ JSON pointer = JSON value }", "{}"),
    ],
)
def test_a_key_is_described_in_the_words_of_the_file(key: str, type: str, default: str) -> None:
    entry = BY_KEY[key]
    assert (entry.type, entry.default) == (type, default)


@pytest.mark.parametrize("key", BELONGS_TO_LATER_ISSUES)
def test_what_is_not_built_is_not_a_key(key: str) -> None:
    assert key not in BY_KEY


def test_every_required_key_has_an_example_for_the_error_that_misses_it() -> None:
    def missing(model: type) -> list[str]:
        found = []
        for key, field in keys(model).items():
            inner = section_in(field.annotation)
            if inner is not None:
                found += missing(inner)
            elif field.is_required() and not field.examples:
                found.append(f"{model.__name__}.{key}")
        return found

    assert missing(Settings) == []


def test_every_phase_with_work_has_its_own_deadline() -> None:
    without = {Phase.AWAITING}
    expected = {f"deadlines.{phase.lower()}" for phase in Phase if not phase.final and phase not in without}
    assert {entry.key for entry in ENTRIES if entry.key.startswith("deadlines.")} == expected


def test_the_manual_names_the_variables_that_commands_inherit() -> None:
    described = BY_KEY["environments.<colour>.pass"].description
    assert all(name in described for name in INHERITED)


@pytest.mark.parametrize(
    ("asked", "first", "some"),
    [
        ("watch.window", "watch.window", "watch.window"),
        ("watch", "watch", "watch.advanced.alpha"),
        ("[watch]", "watch", "watch.window"),
        ("[[databases]]", "databases", "databases.dsn"),
        ("environments.blue.up", "environments.<colour>.up", "environments.<colour>.up"),
        ("hooks.pager.token", "hooks.<name>.token", "hooks.<name>.token"),
    ],
)
def test_a_key_or_a_section_is_found(asked: str, first: str, some: str) -> None:
    found = documented(asked)
    assert found[0].key == first
    assert some in [entry.key for entry in found]


@pytest.mark.parametrize(
    ("asked", "expected", "following"),
    [
        (
            "watch.windw",
            'There is no key "watch.windw". Did you mean "watch.window"?',
            "bluegreen config docs watch.window",
        ),
        (
            "alpha",
            'There is no key "alpha". Did you mean "watch.advanced.alpha"?',
            "bluegreen config docs watch.advanced.alpha",
        ),
        ("zzz", 'There is no key "zzz".', "bluegreen config docs"),
    ],
)
def test_a_key_that_does_not_exist_is_answered_with_the_nearest(asked: str, expected: str, following: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        documented(asked)
    assert str(caught.value) == expected
    assert caught.value.next == (following,)


def test_an_entry_is_four_words_for_whoever_prints_it() -> None:
    key, type, default, description = ENTRIES[0]
    assert (key, type, default) == ("project", "name", "required")
    assert description == ENTRIES[0].description
    assert Entry("a", "section", "", "").is_section


def test_what_is_shown_is_in_the_words_of_the_file(write: Write, tmp_path: Path) -> None:
    shown = masked(load(write('[watch]\nwindow = "90m"\n[backup]\nmin_free = "1024MiB"\n[release]\ndirectory = "r"\n')))
    assert shown["watch"]["window"] == "1h30m"
    assert shown["watch"]["advanced"]["alpha"] == "0.1%"
    assert shown["backup"]["min_free"] == "1GiB"
    assert shown["release"]["directory"] == str(tmp_path / "r")
    assert shown["environments"]["blue"]["pass"] == []
    assert shown["services"][0]["blue"] == ["127.0.0.1:8001"]
