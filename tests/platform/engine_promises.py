"""What a colour that is a compose project does on a real engine, podman or docker alike."""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bluegreen.adapters.runners.compose_reading import follow_argv
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.plans import Release
from bluegreen.domain.running import Started, differences
from bluegreen.domain.traffic import Colour
from bluegreen.processes import environment
from tests.platform.containers import STACK, Containers, Yard, entering

BLUE, GREEN = Colour.BLUE, Colour.GREEN
SECONDS = 30.0


async def by_name(yard: Yard, colour: Colour = GREEN) -> dict[str, Part]:
    """The parts of a colour."""
    return {part.name: part for part in await yard.runner(colour).parts()}


class Promises:
    """The tests; a module for each engine gives them its `engine`."""

    @pytest.fixture
    def yard(self, engine: Containers, tmp_path: Path) -> Yard:
        (tmp_path / "compose.yaml").write_text(STACK)
        made = Yard(engine, tmp_path)
        made.clear()
        return made

    @pytest.fixture(autouse=True)
    def _cleared(self, yard: Yard) -> object:
        yield
        yard.clear()

    async def test_both_colours_run_side_by_side_and_each_is_moved_alone(self, yard: Yard) -> None:
        engine, blue, green = yard.containers, yard.runner(BLUE), yard.runner(GREEN)
        assert "web:1.0.0 is there (sha256:" in await blue.prepare(engine.release("1.0.0"))
        assert engine.left(yard.project(BLUE)) == []

        assert await blue.up(engine.release("1.0.0", LEVEL="it's")) == "started 1.0.0\n"
        before = engine.ids(yard.project(BLUE))
        assert sorted(before) == ["kratos", "web"]  # the worker is for the live colour
        await green.up(engine.release("1.1.0"))
        assert (engine.served(yard.port(BLUE)), engine.served(yard.port(GREEN))) == ("1.0.0", "1.1.0")

        again = await blue.up(engine.release("1.0.0", LEVEL="it's"))
        assert again.splitlines() == ["kratos runs 1.0.0 already", "web runs 1.0.0 already"]
        assert engine.ids(yard.project(BLUE)) == before

        for name, part in (await by_name(yard, BLUE)).items():
            assert (part.state, part.health) == (PartState.RUNNING, "healthy"), name
            assert part.image == engine.image("web:1.0.0")
            assert re.fullmatch("sha256:[0-9a-f]{64}", part.digest)
            assert part.started_at is not None
            assert part.properties["release"] == "1.0.0"
        told = json.loads(engine.run("inspect", before["web"]))[0]["Config"]["Env"]
        assert {"GREETING=hello, blue $HOME", "RELEASE=1.0.0"} <= {*told}

        await green.up(engine.release("1.0.0"))
        assert engine.served(yard.port(GREEN)) == "1.0.0"
        for _ in range(2):
            assert await green.down() == "stopped\n"
            assert engine.left(yard.project(GREEN)) == []
        assert engine.ids(yard.project(BLUE)) == before

    async def test_what_is_live_only_is_started_and_stopped_by_itself(self, yard: Yard) -> None:
        engine, runner, release = yard.containers, yard.runner(), yard.containers.release("1.0.0")
        await runner.up(release)
        before = engine.ids(yard.project(GREEN))
        for _ in range(2):
            await runner.up(release, live_only=True)
            assert sorted(engine.ids(yard.project(GREEN))) == ["kratos", "web", "worker"]
        ids = engine.ids(yard.project(GREEN))
        assert {**ids, **before} == ids
        await runner.up(release)
        assert engine.ids(yard.project(GREEN)) == ids
        await runner.down(live_only=True)
        assert engine.ids(yard.project(GREEN)) == before
        await runner.up(release, live_only=True)
        await runner.down()
        assert engine.left(yard.project(GREEN)) == []

    async def test_a_release_that_ends_at_once_is_told_and_leaves_only_what_failed(self, yard: Yard) -> None:
        engine, runner = yard.containers, yard.runner()
        blue = yard.runner(BLUE)
        await blue.up(engine.release("1.0.0"))
        before = engine.ids(yard.project(BLUE))
        with pytest.raises(RunnerFailed) as caught:
            await runner.up(engine.release("1.3.0-crash", kratos="web:1.0.0"))
        assert "`up` of green failed: web ended, exit code 3; it said: 1.3.0-crash cannot reach" in caught.value.detail
        assert "1.3.0-crash cannot reach its database" in str(caught.value.facts["output"])
        assert " logs " in caught.value.next[0]

        (kept,) = engine.left(yard.project(GREEN))  # the container alone, no network
        assert "web" in kept
        assert (await by_name(yard))["web"].detail == "ended, exit code 3"
        assert engine.ids(yard.project(BLUE)) == before

        await runner.up(engine.release("1.1.0"))
        assert sorted(engine.ids(yard.project(GREEN))) == ["kratos", "web"]
        assert engine.served(yard.port(GREEN)) == "1.1.0"

    async def test_a_service_that_never_gets_healthy_is_given_up_before_those_that_wait_for_it(
        self, yard: Yard
    ) -> None:
        engine, runner = yard.containers, yard.runner()
        with pytest.raises(RunnerFailed, match=r"`up` of green failed: kratos is (not healthy after 3 s|unhealthy)"):
            await runner.up(engine.release("1.1.0-sick", web="web:1.0.0"))
        (kept,) = engine.left(yard.project(GREEN))
        assert "kratos" in kept
        assert engine.ids(yard.project(GREEN)) == {}
        await runner.down()
        assert engine.left(yard.project(GREEN)) == [kept], "the end of the deployment leaves it for whoever asks why"
        await runner.down()
        assert engine.left(yard.project(GREEN)) == []

    async def test_an_image_that_is_missing_is_named_and_nothing_is_touched(self, yard: Yard) -> None:
        engine, runner = yard.containers, yard.runner()
        await runner.up(engine.release("1.0.0"))
        before = engine.ids(yard.project(GREEN))
        gone = engine.release("9.9.9", kratos="web:1.0.0")
        for call in (runner.prepare(gone), runner.up(gone)):
            with pytest.raises(
                RunnerFailed, match=r"image \S*web:9\.9\.9 of web is not there, and nothing is to be pulled"
            ):
                await call
        nobody = Release("9.9.9", images={**gone.images, "web": "127.0.0.1:9/web:9.9.9"})
        with pytest.raises(RunnerFailed, match=r"image 127\.0\.0\.1:9/web:9\.9\.9 of web cannot be pulled: .*refused"):
            await yard.runner(pull="missing").prepare(nobody)
        assert engine.ids(yard.project(GREEN)) == before

    async def test_what_falls_ill_or_is_killed_later_is_seen_and_healed_by_up(self, yard: Yard) -> None:
        engine, runner, release = yard.containers, yard.runner(), yard.containers.release("1.0.0")
        await runner.up(release)
        before = engine.ids(yard.project(GREEN))
        started = Started("1.0.0", datetime.now(UTC), await runner.parts(), release.images)
        assert differences(started, await runner.parts(), runner.live_only) == ()
        engine.run("exec", before["web"], "/bin/busybox", "rm", "/www/health")
        engine.run("kill", before["kratos"])
        async with asyncio.timeout(SECONDS):
            while (parts := await by_name(yard))["web"].health != "unhealthy":
                await asyncio.sleep(0.2)
        assert parts["web"].state is PartState.FAILED
        assert (parts["kratos"].state, parts["kratos"].detail) == (PartState.FAILED, "ended, exit code 137 (signal 9)")
        drifted = {each.part: each.text for each in differences(started, parts.values(), runner.live_only)}
        assert drifted["kratos"] == "kratos is failed: ended, exit code 137 (signal 9)"
        assert drifted["web"].startswith("web is ")
        await runner.down()
        await runner.up(release)
        assert {part.state for part in (await by_name(yard)).values()} == {PartState.RUNNING}

    async def test_an_up_that_is_cut_off_is_settled_by_the_next_call(self, yard: Yard) -> None:
        engine, runner, release = yard.containers, yard.runner(), yard.containers.release("1.0.0")
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            task = group.create_task(runner.up(release), name="up")
            while not engine.left(yard.project(GREEN)):
                await asyncio.sleep(0.05)
            task.cancel()
        await runner.up(release)
        assert engine.served(yard.port(GREEN)) == "1.0.0"
        await runner.down()
        assert engine.left(yard.project(GREEN)) == []

    async def test_a_job_runs_before_what_waits_for_its_end(self, yard: Yard) -> None:
        engine = yard.containers
        (yard.directory / "compose.yaml").write_text(
            "services:\n"
            "  web: {image: nobody, depends_on: {job: {condition: service_completed_successfully}}}\n"
            "  job: {image: nobody}\n"
        )
        runner = yard.runner(live_only=())
        named = {"web": engine.image("web:1.0.0"), "job": engine.image("job:1.0.0")}
        for _ in range(2):
            await runner.up(Release("1.0.0", images=named))
            parts = await by_name(yard)
            assert (parts["web"].state, parts["job"].state) == (PartState.RUNNING, PartState.STOPPED)
        with pytest.raises(RunnerFailed, match="job ended, exit code 3"):
            await runner.up(Release("1.1.0", images=named | {"job": engine.image("web:1.3.0-crash")}))
        assert engine.ids(yard.project(GREEN)) == {}

    async def test_a_name_or_a_port_that_is_the_other_colours_is_refused(self, yard: Yard) -> None:
        engine, file = yard.containers, yard.directory / "compose.yaml"
        file.write_text(STACK.replace("  worker:\n", "    container_name: the-only-kratos\n  worker:\n"))
        await yard.runner(BLUE).up(engine.release("1.0.0"))
        before = engine.ids(yard.project(BLUE))
        with pytest.raises(RunnerFailed, match=f"the-only-kratos of kratos is taken by project {yard.project(BLUE)}"):
            await yard.runner(GREEN).prepare(engine.release("1.0.0"))
        file.write_text(STACK.replace("${WEB_PORT}", str(yard.port(BLUE))))
        with pytest.raises(RunnerFailed, match=r"web was not started: .*(already in use|already allocated)"):
            await yard.runner(GREEN).up(engine.release("1.0.0"))
        assert engine.ids(yard.project(BLUE)) == before
        assert engine.served(yard.port(BLUE)) == "1.0.0"

    async def test_logs_are_plain_and_followed_from_now_on_also_in_containers_that_come_later(self, yard: Yard) -> None:
        engine, runner = yard.containers, yard.runner()
        await runner.up(engine.release("1.0.0"))
        lines = (await runner.logs(2)).splitlines()
        assert sorted(lines) == ["kratos | version 1.0.0 is served", "web | version 1.0.0 is served"]
        follow = await asyncio.create_subprocess_exec(
            *entering(engine.namespace),
            *follow_argv(yard.project(GREEN), engine.engine),
            env=environment(engine.variables),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        assert follow.stdout is not None
        try:
            await asyncio.sleep(1.0)  # by then it has begun, or the new line below comes as the container's first one
            await runner.up(engine.release("1.1.0"))
            async with asyncio.timeout(SECONDS):
                heard = ""
                while heard.count("version 1.1.0 is served") < 2:
                    line = await follow.stdout.readline()
                    assert line, f"it ended: {heard}"
                    heard += line.decode()
        finally:
            follow.terminate()
            await follow.wait()
        assert "\x1b" not in heard
        assert "1.0.0 is served" not in heard
