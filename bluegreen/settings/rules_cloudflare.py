"""What must agree where Cloudflare is the balancer."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from bluegreen.settings.entrance import Balancer
from bluegreen.settings.rule import Broken, Rule
from bluegreen.settings.sections import Caddy
from bluegreen.settings.sections_canary import Canary
from bluegreen.settings.sections_cloudflare import Cloudflare
from bluegreen.settings.sections_stack import Service
from bluegreen.settings.values import is_loopback


def cloudflare_is_known(balancer: Balancer, cloudflare: Cloudflare) -> Iterator[Broken]:
    if balancer != "cloudflare":
        return
    for key in cloudflare.missing:
        yield Broken(("cloudflare", key), 'is needed with balancer = "cloudflare"')
    if cloudflare.blue_pool is not None and cloudflare.blue_pool == cloudflare.green_pool:
        yield Broken(("cloudflare", "green_pool"), "is blue's pool: each colour needs a pool of its own")
    if cloudflare.api.startswith("https://api.cloudflare.com") and is_loopback(_host(cloudflare.front_door)):
        yield Broken(
            ("cloudflare", "front_door"),
            "is this machine, and users come in at Cloudflare: write the site's own address, for example "
            '"https://app.example.org"',
        )


def cloudflare_can_do_what_is_asked(
    balancer: Balancer, caddy: Caddy, canary: Canary, services: Sequence[Service]
) -> Iterator[Broken]:
    if balancer != "cloudflare":
        return
    if caddy.fallback_to_previous:
        yield Broken(("caddy", "fallback_to_previous"), "is for Caddy: set it in [cloudflare] instead")
    if canary.preview is not None:
        yield Broken(
            ("canary", "preview"),
            "is for Caddy: with Cloudflare, use a hostname of its own for the idle colour; leave `preview` out",
        )
    sites = sorted({service.site for service in services if service.site})
    if canary.steps and len(sites) > 1:
        yield Broken(
            ("canary", "steps"),
            f"Cloudflare remembers a user's colour by a cookie of each hostname, and there are {', '.join(sites)}: a "
            "user would meet both colours at once; leave `steps` out",
        )
    fine = [share for share in canary.shares if round(share, 2) != round(share, 6)]
    if fine:
        yield Broken(
            ("canary", "steps"),
            f"Cloudflare's weights go by 1%, so {100 * fine[0]:g}% cannot be set: write whole percentages",
        )


CLOUDFLARE_RULES: tuple[Rule, ...] = (cloudflare_is_known, cloudflare_can_do_what_is_asked)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
