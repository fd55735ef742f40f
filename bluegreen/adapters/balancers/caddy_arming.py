"""Sets routes up for the pointer file, and puts them back: each as one conditional change of Caddy's configuration.

Nobody is moved by it. One request is one load of the configuration, so it costs what any change costs (docs/caddy.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.adapters.balancers.addresses import colour_of
from bluegreen.adapters.balancers.caddy_armed import upstreams_of
from bluegreen.adapters.balancers.caddy_arms import Style, pointer_arms
from bluegreen.adapters.balancers.caddy_change import Change, change_of
from bluegreen.adapters.balancers.caddy_following import arms_of
from bluegreen.adapters.balancers.caddy_proxies import shared_keys
from bluegreen.adapters.balancers.caddy_routes import Handler, Path
from bluegreen.adapters.balancers.caddy_services import Located
from bluegreen.domain.errors import ChangeRefused
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Service


def change_to_arm(located: Sequence[Located], servers: Json, style: Style, live: Colour) -> Change | None:
    """The one change that lets every route of these follow the file; None where all do, as the configuration is now.

    What is armed for something else keeps the operator's handler that was replaced first. Raises ChangeRefused where
    the arms stand in his own file.
    """
    values: dict[Path, Json] = {}
    for each in located:
        for handler in each.handlers:
            state = arms_of((Located(each.service, (handler,)),), style)[0]
            if not state.serves:
                values[handler.path] = pointer_arms(each.service, _original(each.service, handler), style, live)
    return change_of(values, servers) if values else None


def change_to_disarm(located: Sequence[Located], servers: Json, live: Colour) -> Change | None:
    """The one change that puts back every handler that was replaced through the API, dialling `live`; None where there
    is none. A handler that dialled this colour before is exactly as it was."""
    values = {
        handler.path: _dialling(each.service, handler.original, live)
        for each in located
        for handler in each.handlers
        if handler.armed is not None and handler.original is not None
    }
    return change_of(values, servers) if values else None


def _original(service: Service, handler: Handler) -> Mapping[str, Any]:
    if handler.original is None:
        raise ChangeRefused(
            f"the arms of {service.name} at {handler.place} stand in your Caddyfile, and are not as the configuration"
            " is now: put the present lines there, then reload Caddy",
            next=("bluegreen caddy snippet", "systemctl reload caddy"),
            service=service.name,
            path=handler.place,
        )
    return handler.original


def _dialling(service: Service, original: Mapping[str, Any], live: Colour) -> Mapping[str, Any]:
    upstreams = upstreams_of(original)
    if colour_of(service, (str(each.get("dial", "")) for each in upstreams)) is live:
        return original
    kept = shared_keys(upstreams)
    return {**original, "upstreams": [{**kept, "dial": dial} for dial in service.addresses[live]]}
