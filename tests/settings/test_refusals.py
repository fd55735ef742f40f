"""What an operator reads when the configuration is wrong: file, line, key, what was expected, what to write."""

from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import load
from tests.settings.conftest import SMALLEST, Write

NO_DURATION = '5 is not a duration: write a number with a unit (ms, s, m, h, d), for example "30s"'
HERE = SMALLEST.count("\n") + 1
"""The line on which what a test adds begins."""


def refusal(path: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return caught.value


def texts(path: Path) -> list[str]:
    """Each problem of a file as the operator reads it, without the directory of the test."""
    problems: list[dict[str, object]] = refusal(path).facts["problems"]  # type: ignore[assignment]
    return [f"{problem['line']}: {problem['key']}: {problem['text']}" for problem in problems]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ('[watch]\nwindw = "3m"', '+1: watch.windw: unknown key "windw"; did you mean "window"?'),
        ('[wach]\nwindow = "3m"', '+0: wach: unknown key "wach"; did you mean "watch"?'),
        ("[smoke2]", '+0: smoke2: unknown key "smoke2"; did you mean "smoke"?'),
        ('[retire]\nwindow = "3m"', '+1: retire.window: unknown key "window"; it belongs in [watch] or [watch.limits]'),
        (
            '[retire]\nzzz = "1m"',
            '+1: retire.zzz: unknown key "zzz"; the keys here are: drain, slice_pause, inspect',
        ),
        ('[watch.advanced]\nalfa = "1%"', '+1: watch.advanced.alfa: unknown key "alfa"; did you mean "alpha"?'),
        ('[hooks]\nlisen = "127.0.0.1:1"', '+1: hooks.lisen: unknown key "lisen"; did you mean "listen"?'),
        ('[environments.gren]\nup = ["x"]', '+0: environments.gren: unknown key "gren"; did you mean "green"?'),
        (
            '[daemon]\n"a\\u001b[2J" = 1',
            (
                '+1: daemon.a\\x1b[2J: unknown key "a\\x1b[2J"; the keys here are: state_dir, socket, '
                "log_format, log_level, keep_deployments"
            ),
        ),
    ],
    ids=["key", "section", "section like a list", "home", "nothing near", "deep", "beside names", "colour", "escape"],
)
def test_an_unknown_key_is_refused_with_the_nearest_valid_one(write: Write, added: str, expected: str) -> None:
    assert texts(write(added)) == [_moved(expected)]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            "[watch]\nwindow = 30",
            '+1: watch.window: 30 is not a duration: write a number with a unit (ms, s, m, h, d), for example "30s"',
        ),
        ('[watch]\nwindow = "0s"', '+1: watch.window: must be more than zero, for example "30s"'),
        (
            "[watch]\nmin_effect = 0.01",
            '+1: watch.min_effect: 0.01 is not a share: write a percentage from 0% to 100%, for example "1%"',
        ),
        (
            '[watch.advanced]\nalpha = "0%"',
            '+1: watch.advanced.alpha: must be more than 0% and less than 100%, for example "1%"',
        ),
        ("[watch.advanced]\nmin_bad = 0", "+1: watch.advanced.min_bad: must be at least 1, for example min_bad = 3"),
        (
            '[watch.advanced]\nmin_bad = "three"',
            '+1: watch.advanced.min_bad: "three" is not a whole number, for example min_bad = 3',
        ),
        (
            '[watch]\non_blind = "cut_back"',
            '+1: watch.on_blind: "cut_back" is not "hold" or "cutback"; did you mean "cutback"?',
        ),
        ('[daemon]\nlog_level = "loud"', '+1: daemon.log_level: "loud" is not "debug", "info", "warning" or "error"'),
        (
            "[daemon]\nstate_dir = 5",
            '+1: daemon.state_dir: 5 is not a file path, for example state_dir = "/var/lib/bluegreen"',
        ),
        ('[daemon]\nstate_dir = "~/bg"', '+1: daemon.state_dir: "~/bg": ~ is not expanded here, write the whole path'),
        (
            '[access]\nread = "group:ops"',
            '+1: access.read: "group:ops" is not a list, for example read = ["group:ops"]',
        ),
        (
            '[access]\nread = ["ops"]',
            '+1: access.read: "ops" is not a user or group: write "group:NAME", "user:NAME" or "uid:NUMBER"',
        ),
        ("[access]\nread = [7]", '+1: access.read: 7 is not text, for example read = ["group:ops"]'),
        ('[promotion]\nauto = "maybe"', '+1: promotion.auto: "maybe" is not true or false, for example auto = true'),
        (
            "watch = 5",
            (
                '+0: services.watch: unknown key "watch"; the keys here are: name, site, role, parts, '
                "scheme, blue, green, ready, probe, version, every_route"
            ),
        ),
        (
            '[caddy]\nadmin = "localhost:2019"',
            (
                '+1: caddy.admin: "localhost:2019" is not an admin endpoint: write "unix//run/caddy/admin.sock" '
                'or "http://127.0.0.1:2019"'
            ),
        ),
        (
            '[caddy]\nadmin = "http://10.0.0.7:2019"',
            (
                '+0: caddy: admin = "http://10.0.0.7:2019" is not on this machine and has no authentication: '
                "use an ssh-forwarded Unix socket, or set allow_remote_admin = true"
            ),
        ),
        (
            '[caddy]\nfront_door = "https://h/path"',
            (
                '+1: caddy.front_door: "https://h/path" is not where a listener is: write "https://127.0.0.1" '
                'or "http://127.0.0.1:8080"'
            ),
        ),
        (
            '[backup]\nmin_free = "3G"',
            (
                '+1: backup.min_free: "3G" is not a size: write a number with a unit (KB, MB, GB, TB or KiB, '
                'MiB, GiB, TiB), for example "3GiB"'
            ),
        ),
        (
            '[backup]\nverify = "list"',
            (
                '+1: backup.verify: "list" proves nothing: pg_restore --list reads the table of contents and passes a '
                'truncated dump; take "restore", or "decode" where there is no room for a copy'
            ),
        ),
        ('[backup]\nafter = ["copy", "{flie}"]', "+1: backup.after: {flie} is not filled in here; what is: {file}"),
        (
            '[hooks]\nlisten = "9119"',
            '+1: hooks.listen: "9119" is not an address: write host and port, for example "127.0.0.1:8001"',
        ),
        (
            '[watch.advanced]\nsilent_after = "1s"',
            (
                "+0: watch: advanced.silent_after must be longer than probes.interval and probes.timeout "
                "together: between two probes every source would seem silent"
            ),
        ),
    ],
)
def test_a_bad_value_is_refused_with_what_was_expected_and_an_example(write: Write, added: str, expected: str) -> None:
    assert texts(write(added)) == [_moved(expected)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ('"systemctl start app"', 'a command is a list, since no shell reads it: write ["systemctl", "start", "app"]'),
        ('"up | tee log"', 'a command is a list, since no shell reads it: write ["sh", "-c", "up | tee log"]'),
        ('"echo it\'s"', 'a command is a list, since no shell reads it: write ["sh", "-c", "echo it\'s"]'),
        ("[]", 'a command names a program first: write a list like ["systemctl", "start", "app@blue"]'),
        ('["", "x"]', 'a command names a program first: write a list like ["systemctl", "start", "app@blue"]'),
        ('["up", "{relase}"]', "{relase} is not filled in here; what is: {release} and {colour}"),
        ('["up", "{dsn}"]', "{dsn} is not filled in here; what is: {release} and {colour}"),
        ('["up", 5]', '5 is not text, for example up = ["systemctl", "start", "app@{colour}"]'),
    ],
)
def test_a_command_that_is_no_list_of_words_is_refused(write: Write, command: str, expected: str) -> None:
    path = write(base=SMALLEST.replace('up = ["true"]', f"up = {command}", 1))
    assert texts(path) == [f"4: environments.blue.up: {expected}"]


def test_braces_that_are_no_placeholder_stay_as_they_are(write: Write) -> None:
    words = ["awk", "{print}", "${release}", "{{.Name}}", "a{release}b"]
    listed = ", ".join(f'"{word}"' for word in words)
    settings = load(write(base=SMALLEST.replace('up = ["true"]', f"up = [{listed}]", 1)))
    assert list(settings.environments.blue.up or ()) == words


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "blue",
            '["http://127.0.0.1:8001"]',
            '"http://127.0.0.1:8001" has a scheme: write "127.0.0.1:8001" here, and the scheme in the key `scheme`',
        ),
        ("blue", '["127.0.0.1"]', '"127.0.0.1" is not an address: write host and port, for example "127.0.0.1:8001"'),
        (
            "blue",
            '["127.0.0.1:notaport"]',
            '"127.0.0.1:notaport" is not an address: write host and port, for example "127.0.0.1:8001"',
        ),
        ("blue", '["127.0.0.1:70000"]', '"127.0.0.1:70000" has no usable port: ports are 1 to 65535'),
        ("blue", '["127.0.0.1:9001"]', None),
        (
            "name",
            '"-rf"',
            '"-rf" is not a name: use 1 to 64 letters, digits, _ . or -, beginning with a letter or digit',
        ),
        (
            "name",
            '"../web"',
            '"../web" is not a name: use 1 to 64 letters, digits, _ . or -, beginning with a letter or digit',
        ),
        ("name", '".."', '".." is not a name: use 1 to 64 letters, digits, _ . or -, beginning with a letter or digit'),
    ],
)
def test_a_service_that_caddy_could_not_dial_is_refused(
    write: Write, key: str, value: str, expected: str | None
) -> None:
    lines = SMALLEST.splitlines()
    line = next(number for number, text in enumerate(lines) if text.startswith(f"{key} = ") and number > 8)
    lines[line] = f"{key} = {value}"
    found = texts(write(base="\n".join(lines)))
    if expected is None:
        assert "needs addresses of its own" in found[0]
    else:
        assert found == [f"{line + 1}: services.{key}: {expected}"]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (
            'project = "olympus"\n',
            (
                'None: project: is missing, for example project = "olympus". What is deployed here; it names '
                "backups, messages and metrics."
            ),
        ),
        (
            'name = "web"\n',
            (
                '11: services.name: is missing, for example name = "web". What it is called, also in '
                "<caddy.dir>/<name>.caddy."
            ),
        ),
        (
            '[[services]]\nname = "web"\nblue = ["127.0.0.1:8001"]\ngreen = ["127.0.0.1:9001"]\n',
            (
                "None: services: is missing. One routed part of the stack. All services move together, in one "
                "change of Caddy's configuration."
            ),
        ),
        (
            '[environments.green]\nup = ["true"]\ndown = ["true"]\n',
            (
                "3: environments.green: is missing. One colour: how a release is brought up there and stopped. "
                "`up` returns once all is started, and what it starts runs under another supervisor or session: "
                "it must outlive the daemon."
            ),
        ),
    ],
)
def test_a_missing_key_is_named_with_its_meaning(write: Write, missing: str, expected: str) -> None:
    assert missing in SMALLEST
    assert texts(write(base=SMALLEST.replace(missing, "", 1))) == [expected]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        '[watch]\nwindw = "3m"\n'
        '[[databases]]\nname = "app"\ndsn = "postgresql:///app"\n'
        '[[migrations]]\nname = "a"\ndatabase = "ap"\nkind = "sql"\ndirectory = "m"\n'
        "[deadlines]\nretiring = 5\n"
    )
    error = refusal(path)
    assert str(error).splitlines() == [
        f"{path} has 3 problems:",
        f'  {path}:{HERE + 1}: watch.windw: unknown key "windw"; did you mean "window"?',
        f'  {path}:{HERE + 7}: migrations.database: there is no "ap" in [[databases]]; did you mean "app"?',
        f"  {path}:{HERE + 11}: deadlines.retiring: {NO_DURATION}",
    ]
    assert error.facts["file"] == str(path)
    assert error.next == ("bluegreen config docs watch", f"bluegreen config check --config {path}")


def test_a_single_problem_is_one_line(write: Write) -> None:
    path = write("[watch]\nwindow = 30")
    error = refusal(path)
    assert str(error).startswith(f"{path}:{HERE + 1}: watch.window: 30 is not a duration")
    assert "\n" not in str(error)
    assert error.next[0] == "bluegreen config docs watch.window"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'a = 1\nb = "open\n', 2),
        (b"a = 1\na = 2\n", 2),
        (b"[a\n", 1),
        (b"a = 1\nb = [1,", 2),
    ],
    ids=["open text", "twice", "open table", "open list"],
)
def test_what_is_not_toml_is_refused_with_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    path = tmp_path / "bluegreen.toml"
    path.write_bytes(content)
    assert str(refusal(path)).startswith(f"{path}:{line}: is not TOML: ")
    assert "at line" not in str(refusal(path))


def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bluegreen.toml"
    path.write_bytes(b"a = 1\nb = '\xff'")
    assert str(refusal(path)) == f"{path}:2: is not UTF-8 text"


def test_a_missing_file_says_what_to_type_next(tmp_path: Path) -> None:
    path = tmp_path / "bluegreen.toml"
    error = refusal(path)
    assert str(error) == f"There is no configuration at {path}."
    assert error.next == (f"install -D -m 0640 config/bluegreen.example.toml {path}", "bluegreen config docs")


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    assert str(refusal(tmp_path)) == f"{tmp_path}: is not a regular file"


@pytest.mark.parametrize("key", ["_env_file", "_build_sources", "_env_prefix", "_nothing"])
def test_options_of_the_library_cannot_be_set_from_the_file(write: Write, key: str) -> None:
    path = write(base=f"{key} = 5\n{SMALLEST}")
    assert texts(path) == [f'1: {key}: unknown key "{key}"']


def _moved(expected: str) -> str:
    """The expected text with its line counted from the beginning of the file."""
    offset, _, rest = expected.partition(":")
    return f"{HERE + int(offset)}:{rest}"
