"""What must agree between keys and sections, each rule broken once."""

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import load
from tests.settings.conftest import Write

DATABASE = '[[databases]]\nname = "app"\ndsn = "postgresql:///app"\n'
SQL = '[[migrations]]\nname = "schema"\ndatabase = "app"\nkind = "sql"\ndirectory = "m"\n'
TOOL = '[[migrations]]\nname = "tool"\ndatabase = "app"\nkind = "command"\n'
SECOND = '[[services]]\nname = "api"\n'
SMOKE = '[[smoke]]\nname = "s"\n'


@pytest.mark.parametrize(
    ("added", "key", "expected"),
    [
        (DATABASE + DATABASE, "databases.name", '"app" is the name of more than one of the [[databases]]'),
        (DATABASE + SQL + SQL, "migrations.name", '"schema" is the name of more than one of the [[migrations]]'),
        (
            '[[services]]\nname = "web"\nblue = ["h:1"]\ngreen = ["h:2"]',
            "services.name",
            '"web" is the name of more than one of the [[services]]',
        ),
        (
            SMOKE + 'command = ["x"]\n' + SMOKE + 'command = ["x"]',
            "smoke.name",
            '"s" is the name of more than one of the [[smoke]]',
        ),
        (
            '[[notify]]\nname = "n"\nkind = "command"\ncommand = ["x"]\n' * 2,
            "notify.name",
            '"n" is the name of more than one of the [[notify]]',
        ),
        (
            DATABASE + SQL.replace('"app"', '"ap"'),
            "migrations.database",
            'there is no "ap" in [[databases]]; did you mean "app"?',
        ),
        (SQL, "migrations.database", 'there is no "app" in [[databases]]; there is none at all'),
        (
            SMOKE + 'service = "wbe"\nhttp = {}',
            "smoke.service",
            'there is no "wbe" in [[services]]; did you mean "web"?',
        ),
        (SMOKE + 'service = "zzz"\nhttp = {}', "smoke.service", 'there is no "zzz" in [[services]]; there is: web'),
        (
            SECOND + 'blue = ["127.0.0.1:7001"]\ngreen = ["localhost:8001"]',
            "services.green",
            (
                '"localhost:8001" is already blue of web: each colour of each service needs addresses of its own, '
                "since they tell where Caddy sends users"
            ),
        ),
        (
            SECOND + 'blue = ["127.0.0.1:8001"]\ngreen = ["127.0.0.1:7001"]',
            "services.blue",
            (
                '"127.0.0.1:8001" is already blue of web: each colour of each service needs addresses of its own, '
                "since they tell where Caddy sends users"
            ),
        ),
        (SECOND + 'blue = ["h:1", "H:1"]\ngreen = ["h:2"]', "services", "`blue` lists an address twice"),
        (
            '[deadlines]\nwatching = "20m"',
            "deadlines.watching",
            '"20m" is not longer than [watch] window (30m): the phase could not end in time',
        ),
        (
            '[deadlines]\nstanding_by = "1h"',
            "deadlines.standing_by",
            '"1h" is not longer than [watch] standby (1h): the phase could not end in time',
        ),
        (
            '[retire]\ndrain = "40m"',
            "deadlines.retiring",
            '"30m" is not longer than [retire] drain (40m): the old colour would never be stopped in time',
        ),
        (
            '[hooks.pager]\nkind = "generic"\ntoken = "0123456789"',
            "hooks.listen",
            'is off, but hooks are configured (pager): set listen = "127.0.0.1:9119" in [hooks], or remove them',
        ),
        (
            DATABASE + SQL.replace('directory = "m"\n', ""),
            "migrations",
            'kind = "sql" needs `directory`, for example directory = "/srv/app/migrations"',
        ),
        (
            DATABASE + SQL + 'up = ["x", "{dsn}"]',
            "migrations",
            '`up` is for kind = "command", and this is kind = "sql"',
        ),
        (
            DATABASE + TOOL,
            "migrations",
            'kind = "command" needs `up`, for example up = ["kratos", "migrate", "sql", "up", "-e", "--yes"]',
        ),
        (
            DATABASE + TOOL + 'up = ["x"]\ndsn_env = "DSN"\ndirectory = "m"',
            "migrations",
            '`directory` is for kind = "sql", and this is kind = "command"',
        ),
        (
            DATABASE + TOOL + 'up = ["kratos", "migrate"]',
            "migrations",
            (
                "the tool must be told its database: name the variable that it reads with `dsn_env`, or write {dsn} in "
                "`up`; with a connection string of its own it would change production where a rehearsal was meant"
            ),
        ),
        (
            DATABASE + SQL + 'lock_budget = "100ms"',
            "migrations",
            "lock_budget is shorter than one lock_timeout: no statement would get a single try",
        ),
        (SMOKE, "smoke", 'needs one of `http`, `flow` and `command`, for example http = { path = "/healthz" }'),
        (
            SMOKE + 'service = "web"\nhttp = {}\ncommand = ["x"]',
            "smoke",
            'needs one of `http`, `flow` and `command`, for example http = { path = "/healthz" }',
        ),
        (SMOKE + "http = {}", "smoke", "`http` needs `service`: the name of the service to ask"),
        (
            SMOKE + 'command = ["x"]\nservice = "web"',
            "smoke",
            "`service` is for `http`; a command is told {colour} and judged by its exit code",
        ),
        (
            SMOKE + 'command = ["x"]\nexpect = { status = 200 }',
            "smoke",
            "`expect` is for `http`; a command is told {colour} and judged by its exit code",
        ),
        ('[[notify]]\nname = "n"\nkind = "webhook"', "notify", 'kind = "webhook" needs `url`'),
        (
            '[[notify]]\nname = "n"\nkind = "command"\ncommand = ["x"]\nurl = "https://h/"',
            "notify",
            '`url` is not for kind = "command"',
        ),
        (
            SMOKE + 'service = "web"\nhttp = {}\nexpect = { version = "json" }',
            "smoke.expect.version",
            (
                '"json" is no place in an answer: write "json:/POINTER", "header:NAME", "body" or "body:REGEX", for '
                'example "json:/version"'
            ),
        ),
        (
            SMOKE + 'service = "web"\nhttp = {}\nexpect = { json = { "checks.database" = "up" } }',
            "smoke.expect.json.checks.database",
            '"checks.database" is no JSON pointer (RFC 6901): it begins with "/", for example "/checks/0/status"',
        ),
        (
            SMOKE + 'service = "web"\nhttp = {}\nexpect = { version = "body:(" }',
            "smoke.expect.version",
            '"(" is not a regular expression: missing ), unterminated subpattern at position 0',
        ),
        (
            SMOKE + 'service = "web"\nhttp.headers = { "a b" = "c" }',
            "smoke.http.headers.a b",
            '"a b" is not a header name: it has no spaces and no colon',
        ),
    ],
)
def test_a_rule_that_does_not_hold_is_told_where_it_can_be_put_right(
    write: Write, added: str, key: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write(added))
    problems: list[dict[str, str]] = caught.value.facts["problems"]  # type: ignore[assignment]
    assert [(problem["key"], problem["text"]) for problem in problems] == [(key, expected)]


def test_a_rule_is_told_together_with_what_is_wrong_elsewhere(write: Write) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write(SQL + "[watch]\nwindow = 5\n[retire]\nwat = 1\n"))
    problems: list[dict[str, str]] = caught.value.facts["problems"]  # type: ignore[assignment]
    assert [problem["key"] for problem in problems] == ["migrations.database", "watch.window", "retire.wat"]


def test_addresses_of_one_colour_may_share_a_host_and_colours_a_port(write: Write) -> None:
    more = SECOND + 'blue = ["10.0.0.1:8001", "10.0.0.2:8001"]\ngreen = ["[::1]:8001"]\n'
    assert len(load(write(more)).services) == 2
