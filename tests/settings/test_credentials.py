"""A secret is read where systemd puts it, and shown nowhere."""

import json
import traceback
from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import Settings, load, masked, revealed
from tests.settings.conftest import SMALLEST, Write

DATABASE = '[[databases]]\nname = "app"\ndsn = {}\n'
NAMED = DATABASE.format('{ credential = "app-dsn" }')
DSN = "postgresql://owner:hunter%2F22@db.example.org:5432/app"
LINE = SMALLEST.count("\n") + 3


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return str(caught.value)


def test_a_credential_is_read_from_its_file_without_the_final_newline(write: Write, credentials: Path) -> None:
    (credentials / "app-dsn").write_text(f"{DSN}\n")
    secret = load(write(NAMED)).databases[0].dsn
    assert secret.get_secret_value() == DSN
    assert secret.credential == "app-dsn"


def test_a_variable_may_name_a_credential(write: Write, credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (credentials / "pager").write_text("0123456789")
    monkeypatch.setenv("BLUEGREEN_HOOKS__PAGER__TOKEN__CREDENTIAL", "pager")
    settings = load(write('[hooks]\nlisten = "127.0.0.1:9119"\n[hooks.pager]\nkind = "generic"\n'))
    assert settings.hooks.named["pager"].token.get_secret_value() == "0123456789"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{ credential = "app-dns" }', 'there is no credential "app-dns" in {directory}; did you mean "app-dsn"?'),
        (
            '{ credential = "other" }',
            'there is no credential "other" in {directory}: add LoadCredential=other:... to the unit',
        ),
        (
            '{ credential = "../app-dsn" }',
            '"../app-dsn" is not the name of a credential: it is a file name without any directory',
        ),
        ('{ credential = "folder" }', 'the credential "folder" cannot be read: Is a directory ({directory}/folder)'),
        ('{ credential = "binary" }', 'the credential "binary" is not text (UTF-8)'),
        ('{ credential = "empty" }', 'the credential "empty" is empty'),
        ('{ credential = "huge" }', 'the credential "huge" is longer than 65536 bytes'),
        ('{ credentials = "app-dsn" }', 'must be a text, or {{ credential = "NAME" }}'),
        ("5", 'must be a text, or {{ credential = "NAME" }}'),
        ('""', "is empty"),
    ],
)
def test_a_secret_that_is_none_is_refused_with_the_reason(
    write: Write, credentials: Path, value: str, expected: str
) -> None:
    (credentials / "app-dsn").write_text(DSN)
    (credentials / "folder").mkdir()
    (credentials / "binary").write_bytes(b"\xff\xfe")
    (credentials / "empty").write_text("\n")
    (credentials / "huge").write_text("x" * 70_000)
    path = write(DATABASE.format(value))
    assert refusal(path) == f"{path}:{LINE}: databases.dsn: {expected.format(directory=credentials)}"


def test_without_systemd_it_says_how_to_give_the_credential(write: Write) -> None:
    path = write(NAMED)
    assert refusal(path) == (
        f'{path}:{LINE}: databases.dsn: the credential "app-dsn" cannot be read, '
        "because CREDENTIALS_DIRECTORY is not set: "
        "give it to the unit with LoadCredential=app-dsn:/etc/bluegreen/credentials/app-dsn, "
        "or type CREDENTIALS_DIRECTORY=/etc/bluegreen/credentials before the command"
    )


SECRETS = {
    "dsn": "postgresql://owner:pl4nted-1@db/app",
    "token": "pl4nted-2-token",
    "url": "https://chat.example.org/pl4nted-3",
    "variable": "pl4nted-4",
    "header": "Bearer pl4nted-5",
    "read": "pl4nted-6",
}
EVERYWHERE = f"""
[[databases]]
name = "app"
dsn = "{SECRETS["dsn"]}"
[hooks]
listen = "127.0.0.1:9119"
[hooks.pager]
kind = "generic"
token = "{SECRETS["token"]}"
[[notify]]
name = "chat"
kind = "webhook"
url = "{SECRETS["url"]}"
[[smoke]]
name = "front"
service = "web"
http.headers = {{ authorization = "{SECRETS["header"]}", x-colour = "teal", x-key = {{ credential = "read" }} }}
"""
VARIABLES = f'environment = {{ DB_PASSWORD = "{SECRETS["variable"]}", LOG_LEVEL = "debug" }}\n'


@pytest.fixture
def planted(write: Write, credentials: Path) -> Path:
    (credentials / "read").write_text(SECRETS["read"])
    return write(EVERYWHERE, SMALLEST.replace("[environments.green]", f"{VARIABLES}[environments.green]"))


@pytest.mark.parametrize(
    "shown",
    [repr, str, lambda settings: json.dumps(masked(settings)), lambda settings: settings.model_dump_json()],
    ids=["repr", "str", "masked", "dump"],
)
def test_no_secret_is_shown_of_loaded_settings(planted: Path, shown: object) -> None:
    assert callable(shown)
    assert "pl4nted" not in shown(load(planted))


def test_what_is_shown_of_a_secret_is_where_it_comes_from(planted: Path) -> None:
    shown = masked(load(planted))
    assert shown["databases"][0]["dsn"] == "**********"
    assert shown["smoke"][0]["http"]["headers"]["x-key"] == {"credential": "read"}
    assert shown["hooks"]["pager"] == {"kind": "generic", "token": "**********", "match": {}, "effect": "cutback"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('dsn = "postgresql://', 'dsn = "mysql://'),
        ('dsn = "postgresql://', 'dns = "postgresql://'),
        ('token = "pl4nted', 'token = "pl4nted pl4nted'),
        ('token = "pl4nted', 'tokn = "planted'),
        ('url = "https://chat.example.org/', 'url = "chat.example.org/'),
        ('DB_PASSWORD = "pl4nted-4"', 'DB_PASSWORD = ["pl4nted-4"]'),
        ("listen", "lisen"),
    ],
)
def test_no_secret_is_shown_in_a_refusal(planted: Path, right: str, wrong: str) -> None:
    text = planted.read_text()
    assert right in text
    planted.write_text(text.replace(right, wrong))
    with pytest.raises(ConfigurationError) as caught:
        load(planted)
    assert "pl4nted" not in str(caught.value)
    assert "pl4nted" not in repr(caught.value.facts)
    assert "pl4nted" not in "".join(traceback.format_exception(caught.value))


def test_what_must_not_be_logged_is_known_down_to_the_password(planted: Path) -> None:
    texts = revealed(load(planted))
    assert texts >= set(SECRETS.values()) | {"pl4nted-1", "/pl4nted-3"}
    assert "debug" not in texts, "a literal variable is a secret only where its name says so"
    assert "teal" not in texts


def test_a_password_is_known_quoted_and_plain(write: Write) -> None:
    assert revealed(load(write(DATABASE.format(f'"{DSN}"')))) >= {"hunter%2F22", "hunter/22", DSN}


def test_a_literal_secret_in_a_file_that_others_may_read_is_warned_about(planted: Path) -> None:
    assert load(planted).warnings == ()
    planted.chmod(0o644)
    warned = load(planted).warnings
    keys = [warning.split(" holds a secret")[0].rsplit(": ", 1)[1] for warning in warned]
    assert keys == [
        "databases.dsn",
        "environments.blue.environment.DB_PASSWORD",
        "smoke.http.headers.authorization",
        "hooks.pager.token",
        "notify.url",
    ]
    assert f"chmod o-r {planted}" in warned[0]
    assert "pl4nted-" not in "".join(warned)


def test_a_credential_in_a_readable_file_is_no_reason_to_warn(write: Write, credentials: Path) -> None:
    (credentials / "app-dsn").write_text(DSN)
    path = write(NAMED)
    path.chmod(0o644)
    assert load(path).warnings == ()


@pytest.mark.parametrize(
    "dsn", ["postgresql://u@h/db", "postgres://u@h:5432,i:5433/db", "postgresql:///db?host=/run/postgresql"]
)
def test_a_connection_string_is_a_uri_with_a_database(write: Write, dsn: str) -> None:
    settings: Settings = load(write(DATABASE.format(f'"{dsn}"')))
    assert settings.databases[0].dsn.get_secret_value() == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "host=h dbname=db",
        "mysql://u@h/db",
        "postgresql://u@h",
        "postgresql://u@h/",
        "postgresql://u:a/b@h/db",
        "postgresql://u:a#b@h/db",
        "postgresql://u:a@b/c@h/db",
        "postgresql://[h/db",
    ],
)
def test_another_connection_string_is_refused_and_not_shown(write: Write, dsn: str) -> None:
    path = write(DATABASE.format(f'"{dsn}"'))
    assert refusal(path) == (
        f"{path}:{LINE}: databases.dsn: is not a connection string with a database "
        "(it is not shown, since it may hold a password): "
        'write "postgresql://USER@HOST:5432/DATABASE", and in a password %2F %3F %23 %40 for / ? # @'
    )
