"""From settings to the machines on which the colours run. A part of wiring.py."""

from pathlib import Path
from urllib.parse import urlsplit

from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here, Host
from bluegreen.settings import Settings
from bluegreen.ssh import Ssh


def host(settings: Settings, colour: Colour) -> Host:
    """The machine on which a colour runs."""
    environment = settings.environments.of(colour)
    if environment.on is None:
        return Here()
    url = urlsplit(environment.on)
    return Ssh(
        url.hostname or "",
        user=url.username or "",
        port=url.port,
        identity=environment.ssh.identity,
        known_hosts=environment.ssh.known_hosts,
        scope=settings.project,
    )


def workplace(settings: Settings, colour: Colour) -> Path | None:
    """The working directory of a colour's commands on its machine. None, where another machine is meant and none is
    named: where one is after logging in there, since our configuration's directory means nothing on it."""
    environment = settings.environments.of(colour)
    if environment.on is not None and "directory" not in environment.model_fields_set:
        return None
    return environment.directory
