"""How another machine is logged in to."""

from pydantic import Field

from bluegreen.settings.section import Section
from bluegreen.settings.values import FilePath


class Login(Section):
    """With `on`: what ssh uses beside its own configuration (~/.ssh/config of the daemon's user)."""

    identity: FilePath | None = Field(
        default=None,
        description="The private key, without a passphrase, readable for the daemon's user alone; no other is tried "
        "then. Not set: those of ssh's own configuration.",
        examples=["/var/lib/bluegreen/.ssh/id_ed25519"],
    )
    known_hosts: FilePath | None = Field(
        default=None,
        description="The keys by which the host is known; an unknown one is refused. Not set: those of ssh's own "
        "configuration.",
        examples=["/etc/bluegreen/known_hosts"],
    )
