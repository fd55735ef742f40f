"""The port Sites on a Caddy with a TCP admin endpoint, by caddy-api-client in a worker thread.

What the client posts is the whole configuration, so each change reads it first, keeps it aside as a file, posts on
the condition that it is still so, reads back, and puts the old one back where anything of that fails. A change that
timed out may still land late: then it is the very change that was asked for, or it fails on its condition.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from bluegreen.adapters.balancers.endpoint import Endpoint
from bluegreen.adapters.sites import cut_off, documents
from bluegreen.adapters.sites.reading import found
from bluegreen.adapters.sites.saved import Saved
from bluegreen.adapters.sites.wire import Whole, Wire
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    BluegreenError,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    RequestRefused,
    StepFailed,
)
from bluegreen.domain.records import Json
from bluegreen.domain.sites import Left, Site, SiteWish

Proved = Callable[[], Awaitable[None]]
Work = Callable[[Any], object]

NOTHING_SENT = (BalancerUnreachable, ChangeRefused, ForeignChange)
"""After these no change took effect."""


class CaddySites:
    """`timeout` in seconds for each request. `state`: where the configuration from before a change is kept."""

    def __init__(self, admin: str, state: Path, *, timeout: float, allow_remote_admin: bool = False) -> None:
        self._endpoint = Endpoint.parse(admin, allow_remote=allow_remote_admin)
        self._wire, self._saved = Wire(self._endpoint.base, timeout), Saved(state)

    async def sites(self) -> tuple[Site, ...]:
        """The sites that were added; none can have been over a Unix socket."""
        return found((await self._read()).value) if self._endpoint.socket is None else ()

    async def add(self, wish: SiteWish, proved: Proved) -> bool:
        """Set a site up, unless it stands."""
        self._refuse_socket(wish)
        await self._refuse_left()
        read = await self._read()
        if documents.standing(read.value, wish):
            return False
        documents.refuse_unfit(read.value, wish)
        host, _, port = wish.dials[0].rpartition(":")

        def work(client: Any) -> None:
            client.add_domain_with_auto_tls(wish.host, host, int(port))

        await self._change(wish.name, read, work, partial(_added, read.value, wish), proved)
        return True

    async def remove(self, name: str, proved: Proved, *, force: bool = False) -> Site:
        """Take a site away."""
        self._refuse_socket(None)
        await self._refuse_left()
        read = await self._read()
        site = documents.to_remove(read.value, name, force=force)

        def work(client: Any) -> None:
            client.delete_domain(site.host)

        await self._change(name, read, work, partial(_removed, read.value, site), proved)
        return site

    async def left(self) -> Left | None:
        """What was cut off; a file of a change without effect is removed."""
        files = await asyncio.to_thread(lambda: self._saved.files)
        for file in files:
            try:
                before = await asyncio.to_thread(file.read_bytes)
                now = await self._read()
            except (OSError, BluegreenError):
                return cut_off.unknown(file)
            if not cut_off.same(before, now.value):
                back = cut_off.safe(file, before, now.value)
                return cut_off.left(file, self._endpoint.base, back=back)
            await asyncio.to_thread(self._saved.remove, file)
        return None

    async def _change(
        self, name: str, read: Whole, work: Work, correct: Callable[[Json], Json], proved: Proved
    ) -> None:
        from bluegreen.adapters.sites import client  # it imports `requests`, which costs every start of the daemon

        wanted: list[Json] = []

        def corrected(built: Json) -> Json:
            wanted.append(correct(built))
            return wanted[0]

        file = await asyncio.to_thread(self._saved.write, name, read.raw)
        try:
            with suppress(ConnectionLost):  # settled by the read below
                await asyncio.to_thread(client.change, self._wire, read, work, corrected)
        except NOTHING_SENT as exc:
            await asyncio.to_thread(self._saved.remove, file)
            raise StepFailed(f"{exc.detail}: nothing was changed", next=exc.next) from exc
        except BluegreenError as exc:
            raise await self._put_back(exc, file, read, wanted) from exc
        try:
            if (await self._read()).value != wanted[0]:
                raise BalancerError("what was written is not what Caddy says")
            await proved()
        except BluegreenError as exc:
            raise await self._put_back(exc, file, read, wanted) from exc
        await asyncio.to_thread(self._saved.remove, file)

    async def _put_back(self, failed: BluegreenError, file: Path, before: Whole, wanted: list[Json]) -> StepFailed:
        """The old configuration in its place again; returns what to say of it all."""
        try:
            now = await self._read()
            if now.value != before.value:
                self._refuse_others(now, wanted)
                await self._restore(before, now)
        except BluegreenError as exc:
            left = await self.left() or cut_off.unknown(file)
            told = f"{failed.detail}; and Caddy's configuration could not be put back: {exc.detail}. It is in {file}"
            return StepFailed(told, next=left.next)
        await asyncio.to_thread(self._saved.remove, file)
        late = "; the change may still take effect late: look again" if isinstance(failed, ChangeUnknown) else ""
        return StepFailed(
            f"{failed.detail}; Caddy's configuration is as it was before{late}",
            next=(*failed.next, "bluegreen site show"),
        )

    async def _restore(self, before: Whole, now: Whole) -> None:
        with suppress(ConnectionLost):  # the read below tells
            await asyncio.to_thread(self._wire.replace, before.value, now.etag)
        if (await self._read()).value != before.value:
            raise BalancerError("what was put back is not what Caddy says")

    def _refuse_others(self, now: Whole, wanted: list[Json]) -> None:
        if not wanted or now.value != wanted[0]:
            raise BalancerError("somebody else changed it meanwhile, and that is not overwritten")

    def _refuse_socket(self, wish: SiteWish | None) -> None:
        if self._endpoint.socket is None:
            return
        instead = documents.instead(wish) if wish else "By hand, take the site out of the Caddyfile"
        raise RequestRefused(
            "sites are set up through caddy-api-client, which knows no Unix socket, and [caddy] admin is"
            f" {self._endpoint.written}. {instead}",
            next=("systemctl reload caddy",),
        )

    async def _refuse_left(self) -> None:
        left = await self.left()
        if left is not None:
            raise RequestRefused(
                f"an earlier change of a site was cut off, and {left.file} has Caddy's configuration from before it:"
                " settle that first",
                next=left.next,
            )

    async def _read(self) -> Whole:
        return await asyncio.to_thread(self._wire.read)


def _added(before: Json, wish: SiteWish, built: Json) -> Json:
    return documents.with_site(before, built, wish)


def _removed(before: Json, site: Site, built: Json) -> Json:
    return documents.without_site(before, built, site)
