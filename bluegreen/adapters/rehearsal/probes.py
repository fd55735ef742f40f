"""Questions to production's rows that a change raises: would this UNIQUE find duplicates, this NOT NULL nulls?"""

import asyncio
from collections.abc import Sequence
from time import monotonic

import asyncpg

from bluegreen.adapters.postgres.connections import LOST, Access, Connection, describe
from bluegreen.adapters.postgres.queries import MARK
from bluegreen.adapters.rehearsal.question import Question
from bluegreen.adapters.rehearsal.questions import questions
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.errors import DatabaseUnreachable
from bluegreen.domain.seen import ProbeSeen

APPLICATION = "bluegreen probe"
CAREFUL = {
    "default_transaction_read_only": "on",
    "lock_timeout": "200ms",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "search_path": "",
    "row_security": "off",
}
"""Nothing is written, nobody is waited for long, one core at most. Definitions name their schemas. A policy that hides
rows from us makes an error, not a number."""

LEAST = 0.2
"""Seconds that each question has at least."""

GRACE = 2.0
"""Seconds after its statement_timeout until an answer is given up."""

VOLATILE = "SELECT DISTINCT proname::text FROM pg_proc WHERE proname = ANY ($1::text[]) AND provolatile = 'v'"
UNKNOWN = ("42P01", "42703", "42883", "42704", "3F000")


async def ask(
    production: Access, before: Catalogue, after: Catalogue, budget: float, statements: Sequence[str] = ()
) -> tuple[ProbeSeen, ...]:
    """Ask them, read-only, each within a share of `budget` seconds; what has no answer in time says so. `statements`
    are those of the file. Never raises for an answer that production does not give."""
    asked = await asyncio.to_thread(questions, before, after, statements)
    seen: list[ProbeSeen] = []
    if not any(question.sql for question in asked):
        return tuple(_seen(question, None, question.problem) for question in asked)
    try:
        async with production.session(application=APPLICATION, settings=CAREFUL) as session:
            await _ask(session, asked, monotonic() + budget, seen)
    except DatabaseUnreachable as exc:
        seen += [_seen(question, None, question.problem or exc.detail) for question in asked[len(seen) :]]
    return tuple(seen)


async def _ask(session: Connection, asked: Sequence[Question], deadline: float, seen: list[ProbeSeen]) -> None:
    named = {name for question in asked for name in question.calls}
    volatile = {row["proname"] for row in await session.fetch(VOLATILE, list(named))} if named else set()
    for n, question in enumerate(asked):
        remaining = deadline - monotonic()
        share = max(LEAST, 2 * remaining / (len(asked) - n))
        if question.problem:
            seen.append(_seen(question, None, question.problem))
        elif called := volatile & set(question.calls):
            # What a migration brings along is not run on production before anybody has agreed to it.
            seen.append(
                _seen(question, None, f"not asked: it calls {', '.join(sorted(called))}, which may do anything")
            )
        elif remaining <= 0:
            seen.append(_seen(question, None, "not asked: the time for questions to production was used up"))
        else:
            seen.append(await _answer(session, question, min(share, max(LEAST, remaining))))


async def _answer(session: Connection, question: Question, seconds: float) -> ProbeSeen:
    try:
        await session.execute(f"SET statement_timeout = {max(1, round(seconds * 1000))}")
        limited = f"({question.sql} LIMIT {question.limit})"
        what = f"0 * count(value) FROM ({question.sql})" if question.works_out else f"count(*) FROM {limited}"
        sql = f"SELECT {MARK} {what} AS found"
        return _seen(question, await session.fetchval(sql, timeout=seconds + GRACE))
    except asyncpg.QueryCanceledError:
        return _seen(question, None, f"no answer within {seconds:.1f} s")
    except LOST:
        raise
    except asyncpg.DataError as exc:
        if question.works_out:
            return _seen(question, 1, describe(exc))
        return _seen(question, None, f"production cannot be asked: {describe(exc)}")
    except asyncpg.PostgresError as exc:
        if exc.sqlstate in UNKNOWN:
            return _seen(question, None, f"production cannot be asked yet: {exc.args[0]}")
        return _seen(question, None, f"production cannot be asked: {describe(exc)}")


def _seen(question: Question, found: int | None, problem: str = "") -> ProbeSeen:
    return ProbeSeen(question.kind, question.thing.key, question.thing.name, found, problem)
