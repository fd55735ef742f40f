"""Sites as lines: what there is, what a change would cost, what became of it."""

from bluegreen.app.upkeep_answers import SiteChange, SiteShown, SitesShown
from bluegreen.domain.sites import Tls
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, mark, strong

COST = (
    "It is one load of Caddy's whole configuration: keep-alive connections that are idle just then are closed, and",
    "a request on its way to one of them is lost. Nobody is moved: that is looked at, and it is undone otherwise.",
)

FORGOTTEN = "A `caddy reload` or a restart of Caddy forgets it: put it into the Caddyfile, too."


def sites_lines(found: SitesShown, name: str = "") -> list[str]:
    """Every site, or the one of this name."""
    found = cleaned(found)
    items = [shown for shown in found.items if name in ("", shown.site.name, shown.site.host)]
    lines = [line for shown in items for line in _site(shown)]
    if not items:
        lines = [f"There is no site {text.clean(name)}." if name else "No site was added."]
        lines += [] if found.left else commands(("bluegreen site add NAME --host HOST --service SERVICE",))
    if found.left is not None:
        first = f"{mark(text.WARNING)} a change was cut off; Caddy's configuration from before it is {found.left.file}"
        lines += [first, *commands(found.left.next)]
    return lines


def _site(shown: SiteShown) -> list[str]:
    site = shown.site
    goes = f"users of {shown.service}" if shown.service else "no service of ours"
    tls = "Caddy's own authority" if site.tls is Tls.INTERNAL else "as Caddy's other sites have it"
    return [
        f"{strong(site.name)}  {site.host} -> {' '.join(site.dials) or 'as its arms say'} ({goes})",
        f"    route        {site.path}",
        f"    listens at   {' '.join(site.listen) or 'nowhere'}",
        f"    certificate  {tls}",
    ]


def added_lines(done: SiteChange) -> list[str]:
    """A site that was added, or stood there."""
    done = cleaned(done)
    said = "is added" if done.written else "stands there already: nothing was written"
    lines = [f"{mark(text.DONE)} {strong(done.site.site.host)} {said}", *_site(done.site), f"  {FORGOTTEN}"]
    return [*lines, *commands((f"bluegreen site show {done.site.site.name}",))]


def removed_lines(done: SiteChange) -> list[str]:
    """A site that was taken away."""
    return [f"{mark(text.DONE)} {text.clean(done.site.site.host)} is removed; the rest of Caddy's configuration stays"]
