"""The client: typed answers, failures in words, and streams that survive a daemon that restarts."""

import asyncio
import socket
from contextlib import aclosing
from pathlib import Path

import pytest

from bluegreen.app.requests import PlanRequest
from bluegreen.domain import errors
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.interfaces import models
from bluegreen.interfaces.budgets import Budgets
from bluegreen.interfaces.client import CUTBACK_BUDGET, Client, ClientError, SocketDenied, Unreachable
from tests.interfaces.conftest import serving
from tests.interfaces.scripts import BEGAN, ScriptedService, a_deployment, a_plan, a_status, a_watch, at, refusal
from tests.interfaces.test_peers import acting_as, as_root


async def test_answers_come_back_as_the_objects_they_were(service: ScriptedService, socket_path: Path) -> None:
    service.picture = a_status(watch=a_watch(), phase_seconds_left=7.5)
    service.play(at(Phase.WATCHING))
    async with serving(service, socket_path), Client(socket_path) as client:
        status = (await client.status()).value
        deployment = (await client.deployment("d-1")).value
        plan = (await client.plan(PlanRequest("1.1.0"))).value
    hidden = a_plan().release.__class__("1.1.0", {}, "abc", "1.1.0.toml", "1.1.0")
    shown = a_plan(release=hidden)
    assert plan == shown
    assert deployment == at(Phase.WATCHING, plan=shown)
    assert status == a_status(deployment, watch=a_watch(), phase_seconds_left=7.5)


async def test_a_document_is_kept_as_it_came(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path), Client(socket_path) as client:
        reply = await client.status()
    assert reply.document["now"] == "2026-11-20T20:09:11Z"


async def test_a_refusal_tells_its_code_and_what_to_type(service: ScriptedService, socket_path: Path) -> None:
    service.refusal = refusal(errors.WrongPhase, "nothing to cut back")
    async with serving(service, socket_path), Client(socket_path) as client:
        with pytest.raises(ClientError, match="nothing to cut back") as caught:
            await client.cutback()
    assert (caught.value.status, caught.value.code, caught.value.next) == (409, "wrong-phase", ("bluegreen status",))


async def test_no_socket_at_all_means_that_the_daemon_does_not_run(socket_path: Path) -> None:
    async with Client(socket_path) as client:
        with pytest.raises(Unreachable, match="does not run") as caught:
            await client.status()
    assert caught.value.code == "not-running"


async def test_a_dead_socket_means_that_the_daemon_does_not_run(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    async with Client(socket_path) as client:
        with pytest.raises(Unreachable, match="does not run"):
            await client.status()


@as_root
def test_a_socket_that_may_not_be_opened_is_told_as_such(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(socket_path))
        listening.listen()

        async def ask() -> None:
            async with Client(socket_path) as client:
                await client.status()

        with acting_as(23_456, 23_456, []), pytest.raises(SocketDenied, match="may not connect"):
            asyncio.run(ask())


async def test_a_daemon_that_dies_before_it_answers_leaves_the_answer_open(socket_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(hang_up, str(socket_path)), Client(socket_path) as client:
        with pytest.raises(Unreachable, match="may still happen") as caught:
            await client.cutback()
    assert caught.value.code == "no-answer"


async def test_something_else_at_the_socket_is_not_taken_for_the_daemon(socket_path: Path) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(other, str(socket_path)), Client(socket_path) as client:
        with pytest.raises(ClientError, match="not bluegreen"):
            await client.status()


async def test_an_answer_of_another_version_is_told_as_such(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path), Client(socket_path) as client:
        reply = await client.status()
    reply.document["traffic"] = 7
    with pytest.raises(ClientError, match="does not know"):
        _ = reply.value


async def test_a_stream_goes_on_after_the_daemon_was_restarted(service: ScriptedService, socket_path: Path) -> None:
    service.play(a_deployment())
    seen: list[int] = []
    async with Client(socket_path) as client, aclosing(client.follow("d-1")) as replies:
        async with serving(service, socket_path):
            await service.tell(Event("one", BEGAN, "d-1"))
            async for reply in replies:
                seen.append(reply.value.seq)
                if len(seen) == 2:
                    break
        await service.tell(Event("told while it was away", BEGAN, "d-1"))
        async with asyncio.TaskGroup() as group:
            missed = group.create_task(anext(replies), name="missed")
            await asyncio.sleep(0.3)
            assert not missed.done()
            async with serving(service, socket_path):
                seen.append((await missed).value.seq)
    assert seen == [1, 2, 3]


async def test_an_event_may_hold_all_that_a_command_printed(service: ScriptedService, socket_path: Path) -> None:
    service.play(a_deployment())
    output = "\x1b[31m" * 16_384
    await service.tell(Event("command.finished", BEGAN, "d-1", "STARTING", {"output": output}))
    async with (
        serving(service, socket_path),
        Client(socket_path) as client,
        aclosing(client.follow("d-1", after=1)) as replies,
    ):
        assert (await anext(replies)).value.facts["output"] == output


async def test_a_heartbeat_is_no_event(service: ScriptedService, socket_path: Path) -> None:
    service.play(a_deployment())
    async with (
        serving(service, socket_path, budgets=Budgets(heartbeat=0.02)),
        Client(socket_path) as client,
        aclosing(client.follow("d-1", after=1)) as replies,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(anext(replies), name="next")
        await asyncio.sleep(0.1)
        await service.tell(Event("at last", BEGAN, "d-1"))
    assert task.result().value.name == "at last"


async def test_a_deploy_whose_answer_was_lost_is_asked_again_with_the_same_key(socket_path: Path) -> None:
    keys: list[bytes] = []

    async def lose_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        keys.append(next(line for line in head.splitlines() if line.lower().startswith(b"idempotency-key")))
        if len(keys) > 1:
            body = models.Deployment.model_validate(a_deployment()).model_dump_json().encode()
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(lose_the_first, str(socket_path)), Client(socket_path) as client:
        assert (await client.deploy("p-1")).value.id == "d-1"
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_daemon_that_hangs_does_not_keep_a_person_from_the_offline_cutback(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CUTBACK_BUDGET <= 10
    monkeypatch.setattr("bluegreen.interfaces.client.CUTBACK_BUDGET", 0.2)
    with socket.socket(socket.AF_UNIX) as hung:  # it listens, and answers nobody
        hung.bind(str(socket_path))
        hung.listen()
        async with asyncio.timeout(30), Client(socket_path) as client:
            with pytest.raises(Unreachable):
                await client.cutback("hurry")
