"""`bluegreen site`: a new host name gets a route and a certificate, once, outside of any deployment.

The whole configuration of the balancer is written for it, so it is done alone, and undone where it moved anybody: the
routes of all services are read before and after.
"""

from bluegreen.app.requests import Caller, SiteRequest
from bluegreen.app.site_proof import Routed, Unmoved, one, routed, within
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import SiteChange, SiteShown, SitesShown
from bluegreen.domain.errors import NotFound, RequestRefused, RouteNotFound
from bluegreen.domain.records import Json
from bluegreen.domain.sites import Left, Site, SiteWish, answers_for
from bluegreen.domain.traffic import Colour, Service, normal
from bluegreen.finishing import to_the_end
from bluegreen.ports_traffic import Sites

SHOW = "bluegreen site show"
"""Looks again: what was safe to type when it was found may not be after a deployment."""


class SiteOrders(Upkeep):
    """Use cases of `bluegreen site`."""

    site_left: Left | None = None
    """What a change that was cut off left, as it was last looked for."""

    async def sites(self) -> SitesShown:
        """The sites that were added, each with the service it serves; none where the balancer is no Caddy. Raises
        BalancerUnreachable."""
        sites = self._world.sites
        if sites is None:
            return SitesShown(())
        await self._look_for_left(sites)
        shown = tuple(SiteShown(site, self._served(site)) for site in await sites.sites())
        return SitesShown(shown, self.site_left)

    async def add_site(self, request: SiteRequest, caller: Caller) -> SiteChange:
        """Set a site up; asked for again, nothing is written. Raises RequestRefused, DeploymentInProgress,
        BalancerError, StepFailed: then all is as it was, or the text says what is not."""
        sites = self._sites()
        row = self._hand_row(caller, "site add", request.reason, after=f"{request.name}: {request.host}")
        async with (
            self._alone(row, f"the site {request.name} is being added ({caller.who})"),
            self._told_of("site.added", "site.not_added", site=request.name, host=request.host, by=caller.who) as facts,
        ):
            before = await self._routed(request.service)
            wish = await self._wish(request, before)
            facts |= {"dials": list(wish.dials), "service": request.service}
            proof = Unmoved(self._world, sites, before, joins=request.service, site=request.name)
            written = await to_the_end(sites.add(wish, proof), name=f"site:{request.name}")
            facts["written"] = written
            await self._look_for_left(sites)
        return SiteChange(SiteShown(await one(sites, request.name), request.service), written)

    async def remove_site(self, name: str, caller: Caller, reason: str = "", *, force: bool = False) -> SiteChange:
        """Take a site away. One that users of a service come by, or that was not added here, only with `force`.
        Raises as `add_site` does, NotFound."""
        sites = self._sites()
        row = self._hand_row(caller, "site remove", reason, before=name, after="no site")
        async with (
            self._alone(row, f"the site {name} is being removed ({caller.who})"),
            self._told_of("site.removed", "site.not_removed", site=name, by=caller.who),
        ):
            before = await self._routed("")
            standing = {site.name: site for site in await sites.sites()}
            served = self._served(standing[name]) if name in standing else ""
            if served and not force:
                raise RequestRefused(
                    f"users of {served} come by {standing[name].host}: without it they get nothing",
                    next=(f"bluegreen site remove {name} --force",),
                )
            proof = Unmoved(self._world, sites, before, leaves=served)
            site = await to_the_end(sites.remove(name, proof, force=force), name=f"site:{name}")
            await self._look_for_left(sites)
        return SiteChange(SiteShown(site, served), written=True)

    async def tell_left_site(self) -> None:
        """At a start: say what an earlier daemon left, killed in the middle of a change of sites."""
        if self._world.sites is None:
            return
        await self._look_for_left(self._world.sites)
        if self.site_left is not None:
            facts: dict[str, Json] = {"file": self.site_left.file, "next": [SHOW]}
            await self._engine.news.tell("site.unfinished", **facts, severity="warning")

    def left_by_sites(self) -> tuple[str, ...]:
        """The same among the troubles of the daemon; empty where there is none."""
        if self.site_left is None:
            return ()
        left = self.site_left
        cut_off = f"a change of a site was cut off; {left.file} is Caddy's configuration from before it"
        return (f"site-unfinished: {cut_off} ({SHOW})",)

    def _sites(self) -> Sites:
        if self._world.sites is None:
            raise RequestRefused(
                f"sites are set up in Caddy alone, and the balancer here is {self._world.balancer_name}",
                next=("bluegreen config docs balancer",),
            )
        return self._world.sites

    async def _look_for_left(self, sites: Sites) -> None:
        self.site_left = await sites.left()

    async def _routed(self, service: str) -> Routed | None:
        """Where every service goes; None where this very service has no route yet."""
        try:
            return routed(await self._world.balancer.observe())
        except RouteNotFound as exc:
            if exc.facts.get("service") == service and service:
                return None
            raise

    async def _wish(self, request: SiteRequest, before: Routed | None) -> SiteWish:
        if not request.service:
            scheme = request.scheme or "http"
            return SiteWish(request.name, request.host, request.dials, scheme, request.listen, request.tls)
        service = self._service(request)
        colour = await self._colour(before)
        return SiteWish(
            request.name, request.host, service.addresses[colour], service.scheme, request.listen, request.tls
        )

    def _service(self, request: SiteRequest) -> Service:
        service = self._world.services.get(request.service)
        if service is None:
            known = ", ".join(self._world.services)
            raise NotFound(f"there is no service {request.service} ({known})", next=("bluegreen config docs services",))
        if service.site is not None and not answers_for(service.site, request.host):
            raise RequestRefused(
                f"{service.name} is configured for the site {service.site}: a switch would not move {request.host}",
                next=(f'add [[services]] with site = "{request.host}", then: bluegreen reload',),
            )
        return service

    async def _colour(self, before: Routed | None) -> Colour:
        seen = {colour for colour, _ in (before or {}).values()}
        wanted = await self._world.journal.fact("wanted", "colour")
        colour = seen.pop() if len(seen) == 1 else None
        if before is None and wanted:
            colour = Colour(wanted)
        if colour is None:
            raise RequestRefused(
                "nobody knows which colour is live, so the site cannot be sent to it: name the addresses",
                next=("bluegreen site add NAME --host HOST --to HOST:PORT", "bluegreen status"),
            )
        return colour

    def _served(self, site: Site) -> str:
        """The service whose users come by this site; empty where there is none."""
        traffic = self._reconciler.traffic
        for each in traffic.services if traffic is not None else ():
            if any(within(path, site.path) for path in each.paths):
                return each.service
        dials = {normal(dial) for dial in site.dials}
        for service in self._world.services.values():
            addresses = {normal(address) for colour in Colour for address in service.addresses[colour]}
            if dials and dials <= addresses and (service.site is None or answers_for(service.site, site.host)):
                return service.name
        return ""
