"""Which handlers of Caddy belong to which of our services, and what to say where that is not clear."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bluegreen.adapters.balancers.addresses import belongs
from bluegreen.adapters.balancers.caddy_going import going
from bluegreen.adapters.balancers.caddy_routes import Handler, handlers
from bluegreen.adapters.balancers.endpoint import config_path
from bluegreen.domain.errors import AddressInvalid, RouteAmbiguous, RouteNotFound
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Traffic

MOST_LISTED = 12
"""Handlers named in one message; a large site has hundreds."""


@dataclass(frozen=True, slots=True)
class Located:
    """A service and the handlers that send its users somewhere: one, or with `every_route` perhaps more."""

    service: Service
    handlers: tuple[Handler, ...]

    @property
    def traffic(self) -> ServiceTraffic:
        """Where those handlers send users now; of arms that follow a file, where they do while it says nothing."""
        return self.pointed("")

    def pointed(self, line: str) -> ServiceTraffic:
        """Where they send users while the file that arms follow holds `line`."""
        goes = tuple(going(self.service, handler, line) for handler in self.handlers)
        whole = {(each.colour, each.split, each.fallback) for each in goes}
        colour, split, fallback = whole.pop() if len(whole) == 1 else (None, None, False)
        stamps = {stamp for each in goes for stamp in each.stamps}
        return ServiceTraffic(
            service=self.service.name,
            paths=tuple(handler.place for handler in self.handlers),
            dials=tuple(dict.fromkeys(dial for each in goes for dial in each.dials)),
            colour=colour,
            generation=stamps.pop() if len(stamps) == 1 else None,
            split=split,
            fallback=fallback,
        )


def locate(servers: Json, services: Sequence[Service]) -> tuple[Located, ...]:
    """The handlers of every service in Caddy's `apps.http.servers`. Raises RouteNotFound, RouteAmbiguous."""
    seen = handlers(servers)
    located = tuple(_located(service, seen) for service in services)
    _refuse_shared(located)
    return located


def traffic_of(located: Sequence[Located]) -> Traffic:
    """Where all services go."""
    return Traffic(tuple(each.traffic for each in located))


def refuse_unfit(located: Sequence[Located]) -> None:
    """Raise AddressInvalid where a handler's transport does not speak the scheme of its service.

    A dial takes no scheme, and a rewritten list of upstreams cannot change the transport.
    """
    for each in located:
        for handler in each.handlers:
            for spoken in _schemes(handler) - {each.service.scheme}:
                raise AddressInvalid(
                    f"service {each.service.name} is {each.service.scheme}, but Caddy speaks {spoken} to the "
                    f"upstreams of {handler.place}: correct the addresses under [[services]] "
                    f'name = "{each.service.name}", or the transport in the Caddyfile',
                    next=("bluegreen config check",),
                    service=each.service.name,
                    path=handler.place,
                )


def refuse_nested(located: Sequence[Located]) -> None:
    """Raise RouteAmbiguous where one of these handlers stands inside another one (in its `handle_response`): arms
    hold several copies of what they replace, and the inner one would be in all of them."""
    paths = {handler.path: each.service.name for each in located for handler in each.handlers}
    for path, inner in paths.items():
        outer = next((path[:length] for length in range(len(path)) if path[:length] in paths), None)
        if outer is not None:
            raise RouteAmbiguous(
                f"the route of {inner} at {config_path(path)} stands inside the one of {paths[outer]} at "
                f"{config_path(outer)}, which cannot be set up for a canary, a fallback, a preview or a pointer. Move "
                "it out of there",
                next=("bluegreen config check",),
                services=(paths[outer], inner),
                paths=(config_path(outer), config_path(path)),
            )


def _located(service: Service, seen: Sequence[Handler]) -> Located:
    in_site = tuple(handler for handler in seen if handler.serves(service.site))
    ours = tuple(handler for handler in in_site if _candidate(service, handler))
    if not ours:
        raise _not_found(service, in_site, seen)
    if len(ours) > 1 and not service.every_route:
        raise _ambiguous(service, ours)
    for handler in ours:
        if handler.dynamic:
            raise _dynamic(service, handler)
    return Located(service, ours)


def _candidate(service: Service, handler: Handler) -> bool:
    if handler.armed:
        return handler.armed.named == service.name or any(belongs(service, [dial]) for dial in handler.dials)
    return belongs(service, handler.dials) or any(stamp is not None for stamp in handler.stamps(service.name))


def _refuse_shared(located: Sequence[Located]) -> None:
    owners: dict[str, str] = {}
    for each in located:
        for handler in each.handlers:
            other = owners.setdefault(handler.place, each.service.name)
            if other != each.service.name:
                raise RouteAmbiguous(
                    f"{handler.place} serves both {other} and {each.service.name}: it dials "
                    f"{_listed(handler.dials)}. Correct their `site` or addresses under [[services]]",
                    next=("bluegreen config check",),
                    services=(other, each.service.name),
                    paths=(handler.place,),
                )


def _not_found(service: Service, in_site: Sequence[Handler], seen: Sequence[Handler]) -> RouteNotFound:
    wanted = "; ".join(f"{colour} {_listed(service.addresses[colour])}" for colour in Colour)
    return RouteNotFound(
        f"no reverse_proxy handler of Caddy serves {service.name}{_of_site(service)} at its addresses "
        f"({wanted}). {_seen(service, in_site, seen)} "
        f'Correct `site` or the addresses under [[services]] name = "{service.name}"',
        next=("bluegreen config check",),
        service=service.name,
        paths=tuple(handler.place for handler in in_site),
        bare=not seen,
    )


def _seen(service: Service, in_site: Sequence[Handler], seen: Sequence[Handler]) -> str:
    if in_site:
        return f"There is {'; '.join(_described(in_site))}."
    if not seen:
        return "Caddy has no reverse_proxy handler at all."
    return f"None of Caddy's handlers is reached by {service.site}; there is {'; '.join(_described(seen))}."


def _ambiguous(service: Service, ours: Sequence[Handler]) -> RouteAmbiguous:
    return RouteAmbiguous(
        f"{len(ours)} handlers of Caddy could serve {service.name}{_of_site(service)}: "
        f"{'; '.join(_described(ours))}. Under [[services]] name = "
        f'"{service.name}" give the `site` that is meant, or set every_route = true to move them all',
        next=("bluegreen config check",),
        service=service.name,
        paths=tuple(handler.place for handler in ours),
    )


def _dynamic(service: Service, handler: Handler) -> RouteNotFound:
    return RouteNotFound(
        f"{handler.place}, which serves {service.name}, takes its upstreams from dynamic_upstreams: Caddy "
        "does not use the list that a switch would rewrite. Name them in the Caddyfile with `to` instead",
        next=("bluegreen config check",),
        service=service.name,
        paths=(handler.place,),
    )


def _described(found: Sequence[Handler]) -> Iterator[str]:
    for handler in found[:MOST_LISTED]:
        yield f"{handler.place} dialling {'dynamic upstreams' if handler.dynamic else _listed(handler.dials)}"
    if len(found) > MOST_LISTED:
        yield f"and {len(found) - MOST_LISTED} more"


def _schemes(handler: Handler) -> set[str]:
    return {_scheme(proxy) for proxy in (handler.armed.proxies if handler.armed else (handler.value,))}


def _scheme(proxy: Mapping[str, Json]) -> str:
    transport = proxy.get("transport")
    if not isinstance(transport, dict):
        return "http"
    protocol = transport.get("protocol", "http")
    if protocol != "http":
        return str(protocol)
    return "https" if transport.get("tls") is not None else "http"


def _of_site(service: Service) -> str:
    return f" (site {service.site})" if service.site else ""


def _listed(dials: Sequence[str]) -> str:
    return ", ".join(dials) or "nothing"
