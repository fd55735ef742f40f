"""What the routes of `bluegreen caddy` send, as JSON. See models.py."""

from bluegreen.domain.arming import Armed
from bluegreen.interfaces.models_base import Answer


class Arms(Answer):
    """How one service is set up for a switch, at which JSON paths, and what is missing (`fault`, empty for nothing)."""

    service: str
    armed: Armed
    paths: tuple[str, ...]
    fault: str


class BalancerSetup(Answer):
    """How the balancer is set up: `mode` is pointer or rewrite, or the name of a balancer that is no Caddy. In mode
    pointer `file` says where users go and `says` what stands in it, null where there is none."""

    mode: str
    services: tuple[Arms, ...]
    file: str
    says: str | None


class CaddyfileLines(Answer):
    """What the operator puts into his own file. The secret of the preview stands in it."""

    snippet: str
