"""The host of the README before bluegreen comes to it: Caddy, Postgres, an application on blue, and people in groups.

Caddy and Postgres are those of the demo extra, set up as their packages would; the application is the demonstration's
`shop`, as the units app@blue and app@green.
"""

import re
from pathlib import Path

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.postgres import bin_directory
from tests.systemd.machine import ROOT, Machine

DEMO = "/root/bluegreen/bluegreen/demo"

CADDY = """\
[Unit]
After=network-online.target
[Service]
Type=notify
User=caddy
Group=caddy
ExecStart=/usr/bin/caddy run --environ --config /etc/caddy/Caddyfile
ExecReload=/usr/bin/caddy reload --config /etc/caddy/Caddyfile --force
TimeoutStopSec=5s
LimitNOFILE=1048576
PrivateTmp=true
ProtectSystem=full
AmbientCapabilities=CAP_NET_ADMIN CAP_NET_BIND_SERVICE
[Install]
WantedBy=multi-user.target
"""
"""The unit of Caddy's own package."""

POSTGRES = """\
[Service]
Type=exec
User=postgres
RuntimeDirectory=postgresql
ExecStart=/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/data -k /run/postgresql
KillSignal=SIGINT
TimeoutStopSec=10s
"""

APPLICATION = """\
[Unit]
StartLimitIntervalSec=0
[Service]
DynamicUser=yes
Environment=VERSION=1.0.0 PORT_blue=8001 PORT_green=9001 PYTHONDONTWRITEBYTECODE=1
Environment=DATABASE_URL=postgresql://olympus:PASSWORD@127.0.0.1:5432/olympus
EnvironmentFile=-/var/lib/bluegreen/app-%i.env
ExecStart=/bin/sh -c 'exec /opt/bluegreen/bin/python -m bluegreen.demo.application --colour %i --service shop \
  --version "$VERSION" --port "$PORT_%i"'
"""

OLYMPUS = """\
#!/bin/sh
# olympus up|down COLOUR RELEASE, as the README's configuration calls it.
set -eu
file="$HOME/app-$2.env"
case $1 in
    up)
        if systemctl --quiet is-active "app@$2" && grep -qx "VERSION=$3" "$file"; then exit 0; fi
        echo "VERSION=$3" > "$file"
        systemctl restart "app@$2"
        ;;
    down)
        systemctl stop "app@$2"
        ;;
esac
"""

PEOPLE = {"alice": "ops", "bob": "adm", "carol": "users"}

SCHEMA = """\
create role olympus login createdb password 'PASSWORD';
create database olympus owner olympus;
"""


def mounts() -> dict[Path, str]:
    """What of this host is seen in the machine: the checkout, Caddy, Postgres with the libraries beside it."""
    postgres = bin_directory(16).parent.parent
    libraries = postgres.with_name(f"{postgres.name}.libs")
    return {
        ROOT: "/root/bluegreen",
        caddy_binary(): "/usr/bin/caddy",
        postgres: f"/opt/postgres/{postgres.name}",
        libraries: f"/opt/postgres/{libraries.name}",
    }


def furnish(machine: Machine) -> None:
    """Caddy's package, a running Postgres with the application's schema, and people."""
    machine.sh(
        """
        echo '127.0.0.1 localhost' > /etc/hosts
        useradd --system --create-home --home-dir /var/lib/caddy caddy
        install -d -o caddy -g caddy /var/log/caddy
        useradd --system --create-home --home-dir /var/lib/postgresql postgres
        mkdir -p /etc/caddy /srv/olympus /usr/lib/postgresql
        ln -s /opt/postgres/*/pginstall /usr/lib/postgresql/16
        cp -r bluegreen/demo/migrations /srv/olympus/migrations
        """
    )
    machine.write("/etc/systemd/system/caddy.service", CADDY)
    machine.write("/etc/systemd/system/postgresql.service", POSTGRES)
    machine.write("/etc/systemd/system/app@.service", APPLICATION)
    machine.write("/usr/local/bin/olympus", OLYMPUS, 0o755)
    machine.write("/srv/schema.sql", SCHEMA)
    machine.sh(
        """
        runuser -u postgres -- /usr/lib/postgresql/16/bin/initdb --pgdata=/var/lib/postgresql/data --encoding=UTF8 \
          --locale=C --auth-local=trust --auth-host=scram-sha-256 --no-sync --no-instructions >/dev/null
        systemctl daemon-reload
        systemctl start postgresql
        timeout 30 sh -c 'until /usr/lib/postgresql/16/bin/psql -l -h /run/postgresql -U postgres >/dev/null; do
          sleep 0.1; done' 2>/dev/null
        psql="runuser -u postgres -- /usr/lib/postgresql/16/bin/psql -q -h /run/postgresql -v ON_ERROR_STOP=1"
        $psql -d postgres -f /srv/schema.sql
        $psql -d olympus -U olympus -f - < bluegreen/demo/schema.sql
        groupadd --system --force ops
        """
    )
    for name, group in PEOPLE.items():
        machine.run("useradd", "--create-home", "--groups", group, name)


def install(machine: Machine) -> str:
    """Follow the README's section "Install" word for word; returns all that was printed.

    What differs from a host in the world: nothing can be downloaded, so what apt-get would install is there already;
    and no authority in the net certifies the site, so that Caddy is told to do it itself.
    """
    said = []
    for language, text in install_blocks():
        if language == "caddyfile":
            machine.write("/etc/caddy/Caddyfile", text.replace("{\n", "{\n\tlocal_certs\n\tskip_install_trust\n", 1))
        elif language == "toml":
            machine.write("/etc/bluegreen/bluegreen.toml", text, 0o640)
            machine.run("chgrp", "bluegreen", "/etc/bluegreen/bluegreen.toml")
        elif language == "sh":
            said.append(machine.sh(re.sub(r"(?m)^apt-get install (.*)$", r"dpkg --status \1 >/dev/null", text)))
            if "pip install" in text:
                machine.run("systemctl", "start", "app@blue")
    return "".join(said)


def install_blocks() -> list[tuple[str, str]]:
    """The fenced blocks of the README's section "Install": language and text."""
    section = (ROOT / "README.md").read_text().partition("\n## Install\n")[2].partition("\n## ")[0]
    return re.findall(r"^```(\w*)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
