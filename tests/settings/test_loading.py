"""What the file, the environment and the place of the file make of the settings."""

from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour
from bluegreen.settings import load
from tests.settings.conftest import SMALLEST, Write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    found: list[dict[str, str]] = caught.value.facts["problems"]  # type: ignore[assignment]
    return [f"{problem['source']}: {problem['key']}: {problem['text']}" for problem in found]


def test_the_smallest_configuration_is_a_project_two_colours_and_a_service(write: Write) -> None:
    path = write()
    settings = load(path)
    assert settings.project == "olympus"
    assert settings.file == path
    assert settings.warnings == ()
    assert settings.environments.of(Colour.GREEN).up == ("true",)
    assert settings.services[0].addresses == {Colour.BLUE: ("127.0.0.1:8001",), Colour.GREEN: ("127.0.0.1:9001",)}
    assert settings.services[0].probe_path == "/"
    assert settings.watch.window == 1800.0
    assert settings.watch.min_effect == 0.01
    assert settings.backup.min_free == 2**30
    assert settings.hooks.named == {}


def test_settings_do_not_change(write: Write) -> None:
    settings = load(write())
    with pytest.raises(ValueError, match="frozen"):
        settings.watch.window = 1.0


def test_a_relative_path_is_read_from_the_directory_of_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write('[release]\ndirectory = "releases"\n[caddy]\naccess_log = "../log"\n')
    monkeypatch.chdir(tmp_path)
    settings = load(Path("bluegreen.toml"))
    assert settings.release.directory == tmp_path / "releases"
    assert settings.caddy.access_log == tmp_path.parent / "log"
    assert settings.environments.blue.directory == tmp_path
    assert settings.daemon.state_dir == Path("/var/lib/bluegreen")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLUEGREEN_WATCH__WINDOW", "10m"),
        ("bluegreen_watch__window", "10m"),
        ("BLUEGREEN_WATCH", '{"window": "10m"}'),
    ],
)
def test_a_variable_beats_the_file(write: Write, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    settings = load(write('[watch]\nwindow = "20m"\nstandby = "2h"\n'))
    assert settings.watch.window == 600.0
    assert settings.watch.standby == 7200.0


def test_a_variable_reaches_lists_and_numbers_and_names(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGREEN_ACCESS__OPERATE", '["group:ops"]')
    monkeypatch.setenv("BLUEGREEN_WATCH__ADVANCED__MIN_BAD", "5")
    monkeypatch.setenv("BLUEGREEN_ENVIRONMENTS__BLUE__PASS", '["DOCKER_HOST"]')
    monkeypatch.setenv("BLUEGREEN_HOOKS__LISTEN", "127.0.0.1:9119")
    monkeypatch.setenv("BLUEGREEN_HOOKS__PAGER__EFFECT", "record")
    settings = load(write('[hooks.pager]\nkind = "generic"\ntoken = "0123456789"\n'))
    assert settings.access.operate == ("group:ops",)
    assert settings.watch.advanced.min_bad == 5
    assert settings.environments.blue.passed == ("DOCKER_HOST",)
    assert settings.hooks.named["pager"].effect == "record"


@pytest.mark.parametrize("name", ["BLUEGREEN_CONFIG", "BLUEGREEN_OUTPUT", "BLUEGREEN"])
def test_variables_of_the_command_line_are_left_alone(write: Write, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "anything")
    assert load(write()).project == "olympus"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "BLUEGREEN_WACH__WINDOW",
            "3m",
            'variable BLUEGREEN_WACH__WINDOW: : there is no section "wach"; did you mean BLUEGREEN_WATCH__WINDOW?',
        ),
        (
            "BLUEGREEN_WATCH__WINDW",
            "3m",
            'variable BLUEGREEN_WATCH__WINDW: watch.windw: unknown key "windw"; did you mean "window"?',
        ),
        (
            "BLUEGREEN_WATCH__ON_BLIND",
            "stay",
            'variable BLUEGREEN_WATCH__ON_BLIND: watch.on_blind: "stay" is not "hold" or "cutback"',
        ),
        (
            "BLUEGREEN_SERVICES__0__NAME",
            "other",
            (
                "variable BLUEGREEN_SERVICES__0__NAME: : a variable cannot reach into services: write it in the "
                "file, or all of it as JSON in BLUEGREEN_SERVICES"
            ),
        ),
        (
            "BLUEGREEN_ENVIRONMENTS__BLUE__ENVIRONMENT__HOME",
            "/root",
            (
                "variable BLUEGREEN_ENVIRONMENTS__BLUE__ENVIRONMENT__HOME: : a variable cannot reach into "
                "environment: write it in the file, or all of it as JSON in "
                "BLUEGREEN_ENVIRONMENTS__BLUE__ENVIRONMENT"
            ),
        ),
        (
            "BLUEGREEN_ACCESS__READ",
            "group:ops",
            'variable BLUEGREEN_ACCESS__READ: access.read: "group:ops" is not a list, for example read = ["group:ops"]',
        ),
        (
            "BLUEGREEN_WATCH",
            "{not json",
            'variable BLUEGREEN_WATCH: watch: "{not json" is not a table, for example watch = {}',
        ),
        (
            "BLUEGREEN_WATCH",
            '{"windw": "3m"}',
            'variable BLUEGREEN_WATCH: watch.windw: unknown key "windw"; did you mean "window"?',
        ),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    assert problems(write()) == [expected]


def test_a_wrong_key_of_the_file_is_not_blamed_on_a_variable_of_its_section(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEGREEN_WATCH", '{"standby": "2h"}')
    assert problems(write('[watch]\nwindw = "1m"\n')) == [': watch.windw: unknown key "windw"; did you mean "window"?']


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLUEGREEN_WATCH__WINDOW", "3x"),
        ("BLUEGREEN_WATCH", '{"window": "3x"}'),
    ],
)
def test_a_wrong_variable_is_not_blamed_on_the_line_that_it_beats(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (problem,) = problems(write('[watch]\nwindow = "20m"\nstandby = "2h"\n'))
    assert problem.startswith(f'variable {name}: watch.window: "3x" is not a duration')


def test_a_wrong_item_of_a_list_is_blamed_on_the_variable_that_gave_the_list(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEGREEN_ACCESS__READ", '["group:ops", 3]')
    (problem,) = problems(write('[access]\nread = ["group:adm", "user:ann"]\n'))
    assert problem.startswith("variable BLUEGREEN_ACCESS__READ: access.read: 3 is not")


def test_every_phase_that_is_not_final_has_a_deadline(write: Write) -> None:
    settings = load(
        write(
            '[promotion]\ndeadline = "1h"\n[deadlines]\nstarting = "7m"\nstanding_by = "5h"\n[watch]\nwindow = '
            '"30s"\nstandby = "2h"\n'
        )
    )
    deadlines = settings.phase_deadlines
    assert set(deadlines) == {phase for phase in Phase if not phase.final}
    assert deadlines[Phase.STARTING] == 420.0
    assert deadlines[Phase.AWAITING] == 3600.0
    assert deadlines[Phase.WATCHING] == 90.0, "a short window is extended by at least a minute"
    assert deadlines[Phase.STANDING_BY] == 5 * 3600.0


def test_a_remote_admin_endpoint_that_was_allowed_is_warned_about(write: Write) -> None:
    path = write('[caddy]\nadmin = "http://10.0.0.7:2019"\nallow_remote_admin = true\n')
    (warning,) = load(path).warnings
    assert "http://10.0.0.7:2019, on another machine, without authentication" in warning


@pytest.mark.parametrize("admin", ["unix//run/caddy/admin.sock|0220", "http://localhost:2019", "http://[::1]:2019/"])
def test_an_admin_endpoint_of_this_machine_needs_no_permission(write: Write, admin: str) -> None:
    settings = load(write(f'[caddy]\nadmin = "{admin}"\n'))
    assert settings.caddy.admin == admin.rstrip("/")
    assert settings.warnings == ()


def test_json_values_are_found_by_pointers(write: Write) -> None:
    check = '[[smoke]]\nname = "s"\nservice = "web"\nhttp = {}\nexpect.json = { "/checks/database" = "up" }\n'
    assert load(write(check)).smoke[0].expect.json_ == {"/checks/database": "up"}


def test_one_status_may_be_written_without_a_list(write: Write) -> None:
    settings = load(write(base=f"{SMALLEST}ready.status = 204\n"))
    assert settings.services[0].ready.status == (204,)
