"""What is written for the stage: the Caddyfile and the configuration, with everything in one directory.

The configuration is a complete one, as an operator would write it for two services that share a database.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.demo.stack import SERVICES, Stack

SITES = {service: f"{service}.localhost" for service in SERVICES}
PROBES = {"accounts": "/whoami", "shop": "/"}
"""Paths that users ask for too; /whoami without a session is a 401, which is an answer."""

CADDYFILE = """\
{{
	admin {admin}
	auto_https off
	persist_config off
}}
"""

SITE = """
http://{site}:{port} {{
	log {{
		output file {log} {{
			mode 0640
		}}
		format json
	}}
	log_append upstream {{http.reverse_proxy.upstream.hostport}}
	reverse_proxy {{
		import {snippets}/{service}.caddy
	}}
}}
"""

CONFIG = """\
project = "olympus"

[daemon]
state_dir = "{directory}/state"
socket = "{directory}/api.sock"
log_format = "json"

[caddy]
admin = "{admin}"
timeout = "{pace.caddy_timeout}"
access_log = "{log}"
front_door = "{front}"
dir = "{snippets}"
{caddy}
[[databases]]
name = "olympus"
dsn = "{dsn}"
connections = 10

[backup]
directory = "{directory}/backups"
bin_dir = "{bin_dir}"
min_free = "16MiB"

[[migrations]]
name = "olympus"
database = "olympus"
kind = "sql"
directory = "{migrations}"

[environments.blue]
application_name = "blue"
release = "{live}"
up = [{up_prefix}{command}, "up", "--state", "{sample}", "--colour", "{{colour}}", "--version", "{{release}}"]
down = [{command}, "down", "--state", "{sample}", "--colour", "{{colour}}"]
logs = [{command}, "logs", "--state", "{sample}", "--colour", "{{colour}}"]

[environments.green]
application_name = "green"
up = [{up_prefix}{command}, "up", "--state", "{sample}", "--colour", "{{colour}}", "--version", "{{release}}"]
down = [{command}, "down", "--state", "{sample}", "--colour", "{{colour}}"]
logs = [{command}, "logs", "--state", "{sample}", "--colour", "{{colour}}"]

[promotion]
auto = {pace.auto}

[canary]
{canary}

[deadlines]
starting = "{pace.starting}"

[watch]
window = "{pace.window}"
standby = "{pace.standby}"
proving = "{pace.proving}"

[watch.advanced]
slow_factor = {pace.slow_factor}

[retire]
drain = "{pace.drain}"
inspect = "{pace.inspect}"
"""

SERVICE = """
[[services]]
name = "{service}"
site = "{site}"
blue = ["{blue}"]
green = ["{green}"]
ready = {{ path = "/health/ready", consecutive = 2, interval = "100ms" }}
probe = "{probe}"

[[smoke]]
name = "{service}-version"
service = "{service}"
http = {{ path = "/version" }}
expect = {{ version = "json:/version" }}
retries = 1
retry_delay = "200ms"

[[smoke]]
name = "{service}-works"
service = "{service}"
http = {{ path = "/health/smoke" }}
retries = 0
"""


@dataclass(frozen=True)
class Pace:
    """How fast the play goes: durations as the configuration writes them.

    `slow_factor` is far above the default of 1, since everything plays on one machine, users and other plays included,
    and its hiccups would count as the release's.
    """

    window: str = "8s"
    standby: str = "3s"
    proving: str = "1s"
    drain: str = "0s"
    inspect: str = "30s"
    starting: str = "20s"
    caddy_timeout: str = "2s"
    auto: str = "true"
    slow_factor: str = "20.0"


def caddyfile(*, admin: str, front: str, log: Path, snippets: Path) -> str:
    """Two sites on one port, whose upstreams are imported from the snippets."""
    port = front.rpartition(":")[2]
    sites = [
        SITE.format(site=site, port=port, log=log, snippets=snippets, service=service)
        for service, site in SITES.items()
    ]
    return CADDYFILE.format(admin=admin) + "".join(sites)


def configuration(stack: Stack, pace: Pace, places: Mapping[str, object]) -> str:
    """The daemon's configuration; `places` fills the names in CONFIG."""
    command = f'"{sys.executable}", "-m", "bluegreen.demo.colour"'
    services = [
        SERVICE.format(
            service=service,
            site=site,
            probe=PROBES[service],
            blue=stack.address("blue", service),
            green=stack.address("green", service),
        )
        for service, site in SITES.items()
    ]
    return CONFIG.format(command=command, pace=pace, dsn=stack.dsn, **places) + "".join(services)
