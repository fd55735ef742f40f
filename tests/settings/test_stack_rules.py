"""Live-only services and what follows a switch: each rule broken once, and the guide's configuration loaded."""

import re
from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.settings import load
from bluegreen.wiring_after import after_switch
from tests.settings.conftest import Write

MAILER = '[[services]]\nname = "mailer"\nrole = "live-only"\n'
AFTER = '[[after_switch]]\nname = "flush"\n'
ROLES = Path(__file__).parents[2] / "docs" / "roles.md"


@pytest.mark.parametrize(
    ("added", "key", "expected"),
    [
        (MAILER, "environments.blue.live_only_up", "mailer must run in the live colour alone"),
        (MAILER, "environments.green.live_only_down", '["systemctl", "stop", "mailer@{colour}"]'),
        (MAILER + 'blue = ["127.0.0.1:7001"]\n', "services", "nobody is routed to it"),
        (AFTER, "after_switch", "needs one of `command` and `http`"),
        (AFTER + 'command = ["x"]\nhttp = {}\n', "after_switch", "needs one of `command` and `http`"),
        (AFTER + "http = {}\n", "after_switch", "`http` needs `service`"),
        (AFTER + 'command = ["x"]\nservice = "web"\n', "after_switch", "`service` is for `http`"),
        (AFTER + 'service = "wbe"\nhttp = {}\n', "after_switch.service", 'did you mean "web"?'),
        (AFTER + 'command = ["x"]\n' + AFTER + 'command = ["y"]\n', "after_switch.name", "more than one of the"),
        (AFTER + 'command = ["x"]\nretries = -1\n', "after_switch", "retries"),
        (MAILER + '[[smoke]]\nname = "s"\nservice = "mailer"\nhttp = {}\n', "smoke.service", '"mailer" is a live-only'),
        (MAILER + AFTER + 'service = "mailer"\nhttp = {}\n', "after_switch.service", 'no "mailer"'),
    ],
)
def test_what_does_not_agree_is_refused_with_what_to_do(added: str, key: str, expected: str, write: Write) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(write(added))
    said = str(refused.value)
    assert key.split(".")[0] in said
    assert expected in said


def test_the_configuration_of_the_guide_holds(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", ROLES.read_text(), re.DOTALL)
    file = tmp_path / "bluegreen.toml"
    file.write_text(text)
    settings = load(file)
    assert [service.name for service in settings.routed] == ["web"]
    assert [check.name for check in after_switch(settings)] == ["flush-pages", "forget-templates"]
