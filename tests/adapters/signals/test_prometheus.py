"""A number from Prometheus: what is asked, what counts as an answer, and what people read where there is none."""

import asyncio
import json
from typing import Any

import pytest

from bluegreen.adapters.signals.fetching import LONGEST, Fetcher
from bluegreen.adapters.signals.prometheus import PrometheusQuestions
from bluegreen.adapters.signals.questions import Answer
from tests.adapters.signals.heard import BLUE, GREEN
from tests.adapters.signals.servers import Asked, Raw, Server, serving, vector

QUERY = 'sum(queue{env="{colour}"})'


def questions(server: Server, query: str = "sum(queue)", timeout: float = 5.0, **changes: Any) -> PrometheusQuestions:
    return PrometheusQuestions(server.url, query, Fetcher(timeout, changes.pop("headers", {})), **changes)


async def trouble(given: tuple[int, bytes] | Raw, timeout: float = 5.0) -> str:
    with serving(lambda _: given) as server:
        (answer,) = await questions(server, timeout=timeout).ask()
    assert answer.trouble, answer
    return answer.trouble.replace(server.url.removeprefix("http://"), "HOST")


async def test_a_query_without_a_colour_is_asked_once_and_belongs_to_whoever_serves() -> None:
    with serving(lambda _: (200, vector("12.5"))) as server:
        asked = questions(server)
        assert asked.colours == (None,)
        assert await asked.ask() == [Answer(None, 12.5)]
    (request,) = server.asked
    assert (request.method, request.path) == ("POST", "/api/v1/query")
    assert request.form == {"query": "sum(queue)", "timeout": "5"}


async def test_a_query_with_a_colour_is_asked_for_each() -> None:
    def answer(asked: Asked) -> tuple[int, bytes]:
        return 200, vector("1" if '"blue"' in asked.form["query"] else "2")

    with serving(answer) as server:
        asked = questions(server, QUERY)
        assert await asked.ask() == [Answer(BLUE, 1.0), Answer(GREEN, 2.0)]
    assert {request.form["query"] for request in server.asked} == {'sum(queue{env="blue"})', 'sum(queue{env="green"})'}


async def test_a_path_prefix_and_headers_are_kept() -> None:
    with serving(lambda _: (200, vector("1"))) as server:
        fetcher = Fetcher(5.0, {"Authorization": "Bearer s3cret"})
        await PrometheusQuestions(f"{server.url}/prometheus/", "up", fetcher).ask()
    assert server.asked[0].path == "/prometheus/api/v1/query"
    assert server.asked[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(fetcher)


async def test_a_counter_and_its_total_are_of_the_same_moment() -> None:
    def answer(asked: Asked) -> tuple[int, bytes]:
        return 200, vector("3" if asked.form["query"] == "bad" else "500", at=1795213000.25)

    with serving(answer) as server:
        assert await questions(server, "bad", total="all").ask() == [Answer(None, 3.0, 500.0)]
    assert [request.form.get("time") for request in server.asked] == [None, "1795213000.250"]


async def test_a_scalar_is_a_number() -> None:
    body = b'{"status":"success","data":{"resultType":"scalar","result":[1795213387.9,"4"]}}'
    with serving(lambda _: (200, body)) as server:
        assert await questions(server).ask() == [Answer(None, 4.0)]


def error(text: str, kind: str = "bad_data") -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


MATRIX = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
GIBBERISH = b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"seven"]}]}}'
ODD = b'{"status":"success","data":{"resultType":"vector","result":[{"value":7}]}}'


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, vector(), "no data: the query gives nothing; where nothing means zero, add `or vector(0)`"),
        (
            200,
            vector("1", "2"),
            "no data: the query gives 2 series, and one number is needed; aggregate them, as in sum(...)",
        ),
        (200, MATRIX, "the query gives a matrix, and one number is needed: aggregate it"),
        (400, error("1:5: parse error: unexpected )"), "Prometheus refuses the query: 1:5: parse error: unexpected )"),
        (400, error("a\x1b[2J\nb"), "Prometheus refuses the query: a [2J b"),
        (422, error("x" * 500, "execution"), f"Prometheus refuses the query: {'x' * 200}..."),
        (503, b"Service Unavailable", "Prometheus answers 503: Service Unavailable"),
        (404, b"not here", "there is no Prometheus at this url (404): write its path prefix, too, if it has one"),
        (200, b"<html>", "what answers (200) is not Prometheus"),
        (200, b'{"status":"success"}', "Prometheus refuses the query: 200"),
        (200, b"[" * 100_000, "what answers (200) is not Prometheus"),
        (200, GIBBERISH, "the value seven is no number"),
        (200, ODD, "what answers is not Prometheus: its result cannot be read"),
        (401, b"", "HOST: it wants to know who asks (401): give it `headers`, for example Authorization"),
        (403, b"", "HOST: it refuses us (403): the credential in `headers` may not read this"),
        (429, b"", "HOST: it is asked too often (429): make `interval` longer"),
        (302, b"", "HOST: it redirects (302), which is not followed: write the final address"),
        (200, b" " * (LONGEST + 1), "HOST: its answer is longer than 256 KiB; ask for less"),
    ],
)
async def test_what_is_no_answer_is_told_in_words(status: int, body: bytes, words: str) -> None:
    assert await trouble((status, body)) == words


async def test_a_redirect_carries_no_credential_elsewhere() -> None:
    with serving(lambda _: (200, vector("1"))) as elsewhere, serving(lambda _: (307, b"")) as server:
        server.headers["Location"] = elsewhere.url
        await questions(server, headers={"Authorization": "s3cret"}).ask()
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "HOST: its answer was broken off"),
        (b"", "HOST: it closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HOST: its answer is not HTTP that can be read"),
    ],
)
async def test_half_an_answer_is_none(written: bytes, words: str) -> None:
    assert await trouble(lambda out: out.write(written)) == words


async def test_an_answer_that_never_ends_is_not_kept() -> None:
    def endless(out: Any) -> None:
        out.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            out.write(b" " * 65536)  # until the other side hangs up

    assert await trouble(endless) == "HOST: its answer is longer than 256 KiB; ask for less"


async def test_a_server_that_hangs_costs_its_budget_and_delays_no_other_colour() -> None:
    def answer(asked: Asked) -> tuple[int, bytes] | Raw:
        return server.hang() if '"blue"' in asked.form["query"] else (200, vector("2"))

    with serving(answer) as server:
        assert await questions(server, QUERY, timeout=0.3).ask() == [
            Answer(BLUE, trouble=f"{server.url.removeprefix('http://')}: no answer within 0.3 s"),
            Answer(GREEN, 2.0),
        ]


async def test_a_cancelled_question_ends_at_once() -> None:
    with serving(lambda _: server.hang()) as server:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(questions(server, timeout=60.0).ask(), name="asking")
            while not server.asked:
                await asyncio.sleep(0.01)
            task.cancel()
    assert len(asyncio.all_tasks()) == 1


async def test_nobody_there_is_told_with_the_address() -> None:
    with serving(lambda _: (200, b"")) as server:
        pass
    (answer,) = await questions(server).ask()
    assert answer.trouble == f"{server.url.removeprefix('http://')}: cannot connect: Connection refused"
