"""The running version's own queries: what it asks of production, prepared on the copy before and after a migration."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.rehearsal.asked import Asked, Heard, Statistics, calls_by_now, from_file, from_statistics, own
from bluegreen.adapters.rehearsal.standing import Standing, Wording, stand
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.seen import QuerySeen

SHOWN = 200
"""Characters of a query in a message."""

ATTEMPTS = 8
"""Ways to put a query until it counts as not verifiable."""

CLASSES_OF_THE_MOMENT = ("08", "40", "53", "55P", "57", "58")
"""SQLSTATEs that say something of the server now, nothing of the query (Postgres manual, appendix A)."""


@dataclass
class LiveQueries:
    """The queries and how they stood before the migration; `not_seen` says why there are none, or too few."""

    queries: tuple[QuerySeen, ...] = ()
    not_seen: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    statistics: Statistics | None = None
    wordings: dict[str, tuple[Wording, ...]] = field(default_factory=dict, repr=False)
    before: dict[str, tuple[Standing, ...]] = field(default_factory=dict, repr=False)

    async def prepare(self, scratch: Connection) -> tuple[str, ...]:
        """Prepare all on the copy as it is now, as the baseline. What fails here is not verifiable, which is returned
        in words."""
        may = await scratch.fetch(own("enterable"), list({asked.role for asked in self.asked}))
        roles = {row["role"] for row in may}
        everywhere = await scratch.fetchval(own("everywhere"))
        wordings = {
            asked.text: tuple(
                Wording(text, asked.role if asked.role in roles else "", asked.path, everywhere=everywhere)
                for text in asked.stand_ins
            )
            for asked in self.asked
        }
        self.wordings, self.before = await _settled(scratch, wordings)
        self.queries = tuple(self._baseline(query) for query in self.queries)
        failed = [query for query in self.queries if not query.verifiable]
        if not failed:
            return ()
        text = " ".join(failed[0].text.split())
        count = f"{len(failed)} of {len(self.queries)} queries"
        first = f"the first: {failed[0].message}: {text[:SHOWN]}"
        return (f"{count} cannot be prepared on the copy as it is, and say nothing; {first}",)

    async def again(self, scratch: Connection, before: Catalogue, after: Catalogue) -> tuple[QuerySeen, ...]:
        """Prepare all again after a migration and compare; then this is the baseline of the next one. Where the two
        catalogues are the same, nothing is asked."""
        if before == after:
            return self.queries
        texts = [query.text for query in self.queries if query.verifiable]
        now = await _stand(scratch, {text: self.wordings[text] for text in texts})
        seen = tuple(self._compared(query, now.get(query.text, ())) for query in self.queries)
        self.before |= now
        self.queries = tuple(self._baseline(query) for query in self.queries)
        return seen

    async def still_running(
        self, production: Access, answer_within: float, since: datetime | None = None
    ) -> tuple[str, ...]:
        """Mark which queries are known to be used by the version that serves now, for a contract: those of the file,
        those that were called since `collect`, and those that came into the statistics after `since` (the switch;
        Postgres 17 and later say when). Call it as late as possible, but before `again`. Returns in words what could
        not be seen, and then leaves all as running."""
        if self.statistics is None:
            return ()
        try:
            async with asyncio.timeout(answer_within), production.session(settings=_careful(answer_within)) as session:
                now = await calls_by_now(session, self.statistics, self.asked)
        except TimeoutError:
            return ("pg_stat_statements did not answer in time: which queries are still used is not known",)
        known = {
            asked.text
            for asked in self.asked
            if asked.queryid is None or _called(asked, now.get(asked.queryid, (0, None)), since)
        }
        self.queries = tuple(replace(query, running=query.text in known) for query in self.queries)
        return ()

    def _baseline(self, query: QuerySeen) -> QuerySeen:
        failed = next((one for one in self.before.get(query.text, ()) if one.state), None)
        if failed is None:
            return replace(query, verifiable=True, sqlstate="", message="")
        return replace(query, verifiable=False, sqlstate=failed.state, message=failed.message)

    def _compared(self, query: QuerySeen, now: Sequence[Standing]) -> QuerySeen:
        before = self.before.get(query.text, ())
        failed = next((one for one in now if one.state), None)
        if not query.verifiable or not now:
            return query
        if failed is not None and failed.state.startswith(CLASSES_OF_THE_MOMENT):
            return replace(query, verifiable=False, sqlstate=failed.state, message=failed.message)
        if failed is not None:
            return replace(query, sqlstate=failed.state, message=failed.message)
        missing = {
            key: name
            for was, is_ in zip(before, now, strict=True)
            for key, name in is_.unfilled.items()
            if key not in was.unfilled
        }
        return replace(query, shape_changed=_shape(before[0], now[0]), missing=tuple(dict.fromkeys(missing.values())))


async def collect(production: Access, file: Path | None, answer_within: float) -> LiveQueries:
    """What production was asked: from pg_stat_statements, where present, and from the operator's file of queries.
    Raises DatabaseUnreachable; an answer that does not come within `answer_within` seconds is said in `not_seen`."""
    written = Heard() if file is None else await from_file(file)
    try:
        async with asyncio.timeout(answer_within), production.session(settings=_careful(answer_within)) as session:
            counted = await from_statistics(session)
    except TimeoutError:
        counted = Heard(not_seen=(f"pg_stat_statements did not answer within {answer_within:g} s",))
    not_seen = (
        written.not_seen if written.queries and counted.statistics is None else written.not_seen + counted.not_seen
    )
    asked = {one.text: one for one in (*written.queries, *counted.queries)}
    running = {one.text for one in written.queries}
    return LiveQueries(
        tuple(QuerySeen(one.text, one.calls) for one in asked.values()),
        not_seen,
        tuple(replace(one, queryid=None) if one.text in running else one for one in asked.values()),
        counted.statistics,
    )


def _careful(seconds: float) -> dict[str, str]:
    return {"statement_timeout": str(max(1, round(seconds * 1000))), "default_transaction_read_only": "on"}


def _called(asked: Asked, now: tuple[int, datetime | None], since: datetime | None) -> bool:
    calls, first_seen = now
    return calls > (asked.calls or 0) or (since is not None and first_seen is not None and first_seen >= since)


async def _settled(
    scratch: Connection, wordings: dict[str, tuple[Wording, ...]]
) -> tuple[dict[str, tuple[Wording, ...]], dict[str, tuple[Standing, ...]]]:
    """For each query the first wording that Postgres takes, and how it stands; the first failure where none is."""
    now = await _stand(scratch, wordings)
    settled, found, trying = dict(wordings), dict(now), wordings
    for _ in range(ATTEMPTS):
        trying = {text: other for text in _failing(now) if (other := _otherwise(trying[text], now[text]))}
        if not trying:
            break
        now = await _stand(scratch, trying)
        good = trying.keys() - _failing(now)
        settled |= {text: trying[text] for text in good}
        found |= {text: now[text] for text in good}
    return settled, found


def _failing(found: dict[str, tuple[Standing, ...]]) -> set[str]:
    return {text for text, standings in found.items() if any(one.state for one in standings)}


def _otherwise(wordings: Sequence[Wording], standings: Sequence[Standing]) -> tuple[Wording, ...] | None:
    others = [
        wording.otherwise(standing.state, standing.message) if standing.state else wording
        for wording, standing in zip(wordings, standings, strict=True)
    ]
    return None if None in others else tuple(other for other in others if other is not None)


async def _stand(scratch: Connection, wordings: dict[str, tuple[Wording, ...]]) -> dict[str, tuple[Standing, ...]]:
    standings = iter(await stand(scratch, [wording for each in wordings.values() for wording in each]))
    return {text: tuple(next(standings) for _ in each) for text, each in wordings.items()}


def _shape(before: Standing, now: Standing) -> str:
    """What became of the columns of a result, in words."""
    was, is_ = dict(before.columns), dict(now.columns)
    said = [
        *(f"no {name} any more" for name in was if name not in is_),
        *(f"{name} {type_} is new" for name, type_ in is_.items() if name not in was),
        *(f"{name} is {is_[name]}, was {was[name]}" for name in was if name in is_ and is_[name] != was[name]),
    ]
    if not said and before.columns != now.columns:
        return "its columns come in another order"
    return ", ".join(said)
