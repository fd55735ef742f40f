"""What a change of Caddy's configuration costs users, in words for the plan (docs/caddy.md, "What a switch costs")."""

from collections.abc import Sequence

from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_routes import Handler
from bluegreen.adapters.balancers.caddy_services import Located

DELAY = "stream_close_delay"

CONNECTIONS = (
    "Caddy loads its configuration anew at each switch{more}: connections that are kept alive and idle just then are "
    'closed, and a request that is already on its way on one of them is lost. [caddy] mode = "pointer" loses none'
)


def costs_of_loading(located: Sequence[Located], style: Style) -> tuple[str, ...]:
    """One line each: what one more load of the configuration costs, as these routes are now."""
    cut = [each.service.name for each in located if not all(map(_lets_streams_live, each.handlers))]
    connections = CONNECTIONS.format(more=_more_loads(style))
    return (connections, _streams(", ".join(cut), style)) if cut else (connections,)


def _more_loads(style: Style) -> str:
    """What else of a deployment loads it anew."""
    more = [
        *(["each step of the canary"] if style.splits else []),
        *(["the end of the fallback in RETIRING"] if style.fallback else []),
    ]
    return f" ({' and '.join(more)} counted)" if more else ""


def _lets_streams_live(handler: Handler) -> bool:
    proxies = handler.armed.proxies if handler.armed else (handler.value,)
    return all(proxy.get(DELAY) for proxy in proxies)


def _streams(services: str, style: Style) -> str:
    if style.stream_close_delay is None:
        return f"the switch closes the WebSockets of {services} (1001), if there are any: [caddy] {DELAY} keeps them"
    return (
        f"this first switch still closes the WebSockets of {services} (1001); it brings their {DELAY} "
        f"({style.stream_close_delay:g} s), which holds from the next one on"
    )
