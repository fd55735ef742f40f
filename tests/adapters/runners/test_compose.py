"""The compose runner on a played engine: what compose is told, the order of things, and what is left behind."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.adapters.runners.compose_call import Call, Place
from bluegreen.adapters.runners.compose_config import services_of
from bluegreen.adapters.runners.compose_containers import Image
from bluegreen.adapters.runners.compose_tool import engine_of
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import PartState
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here
from tests.adapters.runners.engines import VERSIONS, Engine

HEALTH = {"test": ["CMD", "true"]}
KRATOS: dict[str, Any] = {"image": "kratos:1", "healthcheck": HEALTH}
WEB: dict[str, Any] = {"image": "web:1", "depends_on": {"kratos": {"condition": "service_healthy"}}}
STACK = {"web": WEB, "kratos": KRATOS, "worker": {"image": "worker:1", "depends_on": {"kratos": {}}}}
ONE = Release("1.0.0")


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    made = Engine(tmp_path, STACK, request.param)
    made.images |= {"kratos:1", "web:1", "worker:1", "web:2"}
    return made


@pytest.fixture
def docker(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, STACK)
    made.images |= {"kratos:1", "web:1", "worker:1"}
    return made


async def test_services_start_after_those_they_wait_for_and_live_only_ones_by_themselves(engine: Engine) -> None:
    runner = engine.runner(live_only=("worker",))
    await runner.up(ONE)
    started = [next(one.service for one in engine.containers if one.id == call[-1]) for call in engine.did("start")]
    assert started == ["kratos", "web"]
    await runner.up(ONE, live_only=True)
    assert {*engine.running()} == {*STACK}
    await runner.down(live_only=True)
    assert {*engine.running()} == {"web", "kratos"}


async def test_live_only_ones_come_home_past_files_that_no_longer_name_what_serves_there(engine: Engine) -> None:
    runner = engine.runner(live_only=("worker",))
    await runner.up(ONE)
    engine.services = {"worker": {"image": "worker:1"}, "auth": {"image": "web:1"}}  # the next release renamed kratos
    await runner.up(ONE, live_only=True)
    assert {*engine.running()} == {*STACK}, "users are on web and kratos"
    assert engine.variables["COMPOSE_REMOVE_ORPHANS"] == "false", "whatever a file of variables says"
    await runner.down(live_only=True)
    assert {*engine.running()} == {"web", "kratos"}


async def test_an_answer_that_failed_half_way_is_not_kept(tmp_path: Path) -> None:
    call = Call(Place(Colour.GREEN, Here(), tmp_path), "parts", 30.0)
    half = ["sh", "-c", "echo 'SECRET=s3cret'; echo 'no such container' >&2; exit 1"]
    with pytest.raises(RunnerFailed, match="inspect: no such container") as caught:
        await call.told(half, "inspect")
    assert "s3cret" not in f"{caught.value.detail} {caught.value.facts} {call.output}"
    with pytest.raises(RunnerFailed, match="inspect: it ended with exit code 3 and said nothing"):
        await call.told(["sh", "-c", "echo 'SECRET=s3cret'; exit 3"], "inspect")


async def test_preparing_pulls_what_is_missing_and_starts_nothing(engine: Engine) -> None:
    engine.images.discard("web:1")
    with pytest.raises(RunnerFailed, match=r"image web:1 of web cannot be pulled: .*manifest unknown"):
        await engine.runner().prepare(ONE)
    with pytest.raises(RunnerFailed, match="image web:1 of web is not there, and nothing is to be pulled") as caught:
        await engine.runner(pull="never").prepare(ONE)
    assert caught.value.next[0] == f"{engine.kind} pull web:1"
    engine.registry.add("web:1")
    assert "web: web:1 is there (sha256:web:1)" in await engine.runner().prepare(ONE)
    assert engine.containers == []
    assert not engine.networks


async def test_always_pulls_every_image_once_and_up_does_not_pull_it_again(engine: Engine) -> None:
    engine.registry |= engine.images
    runner = engine.runner(pull="always")
    await runner.prepare(ONE)
    assert sorted(call[-1] for call in engine.did("pull")) == ["kratos:1", "web:1", "worker:1"]
    await runner.up(ONE)
    assert len(engine.did("pull")) == 3


async def test_a_releases_images_come_over_those_of_the_files(engine: Engine) -> None:
    release = Release("2.0.0", {"LEVEL": "it's"}, images={"web": "web:2"})
    await engine.runner().up(release)
    assert {one.service: one.image for one in engine.containers}["web"] == "web:2"
    assert {one.service: one.image for one in engine.containers}["kratos"] == "kratos:1"
    with pytest.raises(RunnerFailed, match=r"release 3 names an image for wbe, which is no service .*web, worker"):
        await engine.runner().prepare(Release("3", images={"wbe": "web:2"}))


async def test_variables_are_written_for_compose_and_are_in_no_command(engine: Engine, tmp_path: Path) -> None:
    mine = tmp_path / "mine.env"
    mine.write_text("SECRET=s3cret\nLEVEL=info")
    release = Release("1.0.0", {"LEVEL": "d3bug", "QUOTED": "a'b\"$c"}, images={"web": "web:2"})
    await engine.runner(env_files=(mine,)).up(release)
    file = tmp_path / "written" / "yard-green.env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines()[1:] == [
        "SECRET=s3cret",
        "LEVEL=info",
        "WEB_IMAGE='web:2'",
        "LEVEL='d3bug'",
        'QUOTED="a\'b\\"\\$c"',
        "RELEASE='1.0.0'",
    ]
    made = engine.did("--no-start")[0]
    assert made[made.index("--env-file") + 1] == str(file)
    assert all("s3cret" not in word and "d3bug" not in word for call in engine.calls for word in call)
    assert engine.variables["QUOTED"] == "a'b\"$c"


async def test_without_files_of_variables_the_env_file_of_the_directory_is_read(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8001\n")
    await engine.runner().prepare(ONE)
    assert "PORT=8001\n" in (tmp_path / "written" / "yard-green.env").read_text()
    with pytest.raises(RunnerFailed, match=r"gone\.env, a file of variables, is not there"):
        await engine.runner(env_files=(tmp_path / "gone.env",)).prepare(ONE)


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "COMPOSE_FILE", "DOCKER_HOST", "PODMAN_X", "CONTAINERS_CONF", "A B"]
)
async def test_a_release_may_not_steer_the_tools(engine: Engine, name: str) -> None:
    with pytest.raises(RunnerFailed, match=f"release 1 may not set '{name}'"):
        await engine.runner().up(Release("1", {name: "x"}))
    assert engine.containers == []


async def test_the_same_release_is_left_alone_and_other_variables_make_new_containers(engine: Engine) -> None:
    runner = engine.runner()
    await runner.up(ONE)
    before = {one.id for one in engine.containers}
    said = await runner.up(ONE)
    assert "web runs 1.0.0 already" in said
    assert "started" not in said
    assert {one.id for one in engine.containers} == before
    (engine.directory / ".env").write_text("SECRET=rotated\n")
    assert await runner.up(ONE) == "started 1.0.0\n"
    assert {one.id for one in engine.containers}.isdisjoint(before)


async def test_an_image_that_was_made_anew_under_its_name_makes_a_new_container(docker: Engine) -> None:
    await docker.runner().up(ONE)
    before = {one.service: one.id for one in docker.containers}
    next(one for one in docker.containers if one.service == "web").image = "web:older"
    await docker.runner().up(ONE)
    after = {one.service: one.id for one in docker.containers}
    assert {name for name in STACK if before[name] != after[name]} == {"web"}


@pytest.mark.parametrize(
    ("goes", "words"),
    [
        ("crashes", "web ended, exit code 3; it said: no database"),
        ("ends", r"web ended at once, exit code 0 \(a job\?"),
        ("loops", "web was started again by itself, exit code 4"),
    ],
)
async def test_what_does_not_last_is_named_and_kept_and_nothing_else_is(engine: Engine, goes: str, words: str) -> None:
    engine.goes["web:1"] = goes
    with pytest.raises(RunnerFailed, match=f"`up` of green failed: {words}") as caught:
        await engine.runner(settles=0.6).up(ONE)
    (kept,) = engine.containers
    assert (kept.service, kept.status) == ("web", "exited")
    assert not engine.networks
    assert f"-- the last lines of web ({kept.name}):\nweb of web:1 begins" in str(caught.value.facts["output"])
    assert caught.value.next[0] == f"{engine.kind} logs {kept.name}"
    assert "s3cret" not in str(caught.value.facts)
    engine.goes.clear()
    await engine.runner().up(ONE)
    assert {*engine.running()} == {*STACK}


async def test_what_failed_outlasts_the_down_that_ends_the_deployment(engine: Engine) -> None:
    engine.goes["web:1"] = "crashes"
    runner = engine.runner()
    with pytest.raises(RunnerFailed):
        await runner.up(ONE)
    assert await runner.down() == "stopped\n"
    assert [(one.service, one.status) for one in engine.containers] == [("web", "exited")]
    assert not engine.networks
    await runner.down()
    assert not engine.containers


async def test_what_gets_never_healthy_is_given_up_before_others_start(engine: Engine) -> None:
    engine.goes["kratos:1"] = "sick"
    with pytest.raises(RunnerFailed, match=r"kratos is (unhealthy|not healthy after 0\.02 s: unhealthy)"):
        await engine.runner().up(ONE)
    assert [(one.service, one.status) for one in engine.containers] == [("kratos", "exited")]


async def test_waiting_ends_with_the_time_for_the_whole_call(docker: Engine) -> None:
    docker.goes["kratos:1"] = "slow"
    with pytest.raises(RunnerFailed, match=r"kratos took longer than 0\.7 s"):
        await docker.runner(timeout=0.7).up(ONE)


async def test_an_attempt_that_fails_leaves_alone_what_ran_before(engine: Engine) -> None:
    runner = engine.runner(live_only=("worker",))
    await runner.up(ONE)
    engine.goes["worker:1"] = "crashes"
    with pytest.raises(RunnerFailed, match="worker ended, exit code 3"):
        await runner.up(ONE, live_only=True)
    assert {*engine.running()} == {"kratos", "web"}
    assert engine.networks == {"yard-green_default"}


async def test_a_job_may_end_and_is_not_run_again(engine: Engine) -> None:
    waits = {"migrate": {"condition": "service_completed_successfully"}}
    engine.services = {"web": {"image": "web:1", "depends_on": waits}, "migrate": {"image": "kratos:1"}}
    engine.goes["kratos:1"] = "done"
    for _ in range(2):
        await engine.runner().up(ONE)
    assert len(engine.did("start")) == 2
    states = {part.name: part.state for part in await engine.runner().parts()}
    assert states == {"web": PartState.RUNNING, "migrate": PartState.STOPPED}


async def test_a_service_that_left_the_files_is_removed(engine: Engine) -> None:
    await engine.runner().up(ONE)
    engine.services = {"kratos": KRATOS}
    await engine.runner().up(Release("2"))
    assert {*engine.running()} == {"kratos"}


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ({"web": {"build": "."}, "worker": {"image": "x"}}, "web has no `image`: build it elsewhere"),
        (
            {"web": {"image": "web:1", "depends_on": {"worker": {}}}, "worker": {"image": "x"}},
            "web waits for worker, which",
        ),
        ({"web": {"image": "web:1"}}, "worker, which is live-only, is no service of the compose files"),
        ({"a": {"image": "a", "depends_on": {"a": {}}}}, "cannot be read: a wait for each other"),
        (None, "cannot be read: it has no services"),
    ],
)
async def test_files_that_cannot_be_run_are_refused_with_the_reason(engine: Engine, services: Any, words: str) -> None:
    engine.services = services
    with pytest.raises(RunnerFailed, match=words):
        await engine.runner(live_only=("worker",)).prepare(ONE)


async def test_the_other_colours_container_is_never_taken_for_ours(engine: Engine) -> None:
    engine.services = {"web": {"image": "web:1", "container_name": "the-web"}}
    await engine.runner(Colour.BLUE).up(ONE)
    with pytest.raises(RunnerFailed, match="container_name the-web of web is taken by project yard-blue"):
        await engine.runner(Colour.GREEN).up(ONE)
    await engine.runner(Colour.GREEN).down()
    assert [one.project for one in engine.containers] == ["yard-blue"]


async def test_down_needs_no_files_and_changes_are_made_by_one_call_at_a_time(engine: Engine, tmp_path: Path) -> None:
    runner = engine.runner()
    await runner.up(ONE)
    (tmp_path / "compose.yaml").unlink()
    engine.fails["config"] = "no such file"
    assert await runner.down() == "stopped\n"
    assert (engine.containers, engine.networks) == ([], set())
    assert {*engine.alone} == {"compose-green"}


async def test_compose_that_cannot_read_its_files_is_quoted(engine: Engine) -> None:
    engine.fails["config"] = "services.web must be a mapping"
    with pytest.raises(RunnerFailed, match=r"its compose files cannot be read: services\.web must be a mapping"):
        await engine.runner().prepare(ONE)


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({}, "no compose is there: `docker compose version` said: docker is not there"),
        ({"podman": "podman-compose version: 1.0.3"}, r"podman-compose 1\.0\.3 is too old: it has no --env-file"),
        ({"docker": "docker-compose version 1.29.2, build x"}, r"docker compose 1\.29\.2 is too old"),
    ],
)
async def test_a_tool_that_cannot_do_it_is_refused(docker: Engine, versions: dict[str, str], words: str) -> None:
    docker.versions, docker.kind = versions, next(iter(versions), "docker")
    with pytest.raises(RunnerFailed, match=words):
        await docker.runner().prepare(ONE)


async def test_two_tools_have_to_be_told_apart(docker: Engine) -> None:
    docker.versions = dict.fromkeys(("docker", "podman"), VERSIONS["docker"])
    with pytest.raises(RunnerFailed, match=r"both .* are there: name the one that is meant"):
        await docker.runner().prepare(ONE)
    assert "docker compose 2.26.1" in await docker.runner(tool=("docker", "compose")).prepare(ONE)


@pytest.mark.parametrize(
    ("tool", "engine"),
    [
        ("docker compose", "docker"),
        ("sudo -n docker compose", "sudo -n docker"),
        ("/opt/bin/podman-compose", "podman"),
        ("sudo podman-compose", "sudo podman"),
        ("podman-compose --podman-path /opt/podman", "/opt/podman"),
        ("docker-compose", "docker"),
        ("podman compose", "podman"),
        ("", ""),
    ],
)
def test_the_engine_is_the_one_behind_the_tool(tool: str, engine: str) -> None:
    assert engine_of(tuple(tool.split())) == tuple(engine.split())


async def test_what_falls_ill_later_is_a_failed_part(engine: Engine) -> None:
    runner = engine.runner()
    await runner.up(ONE)
    engine.goes["kratos:1"] = "sick"
    web, kratos = engine.containers[1], next(one for one in engine.containers if one.service == "kratos")
    parts = {part.name: part for part in await runner.parts()}
    assert (parts["kratos"].state, parts["kratos"].health) == (PartState.FAILED, "unhealthy")
    assert parts["kratos"].digest == "sha256:of-kratos:1"
    assert parts["kratos"].started_at is not None
    kratos.status, kratos.code = "exited", 137
    web.status, web.code = "exited", 0
    parts = {part.name: part for part in await runner.parts()}
    assert parts["kratos"].detail == "ended, exit code 137 (signal 9)"


@pytest.mark.parametrize(
    ("reference", "identity"),
    [("web@sha256:b", "sha256:b"), ("web:1", "sha256:a"), ("web@sha256:other", "sha256:a")],
)
def test_what_really_runs_is_known_by_the_digest_it_was_asked_by(reference: str, identity: str) -> None:
    assert Image("sha256:id", ("web@sha256:a", "other@sha256:b")).identity(reference) == identity
    assert Image("sha256:id").identity(reference) == "sha256:id"


async def test_a_host_that_is_lost_while_health_is_asked_is_one_failure(tmp_path: Path) -> None:
    engine = Engine(tmp_path, STACK, "podman")
    engine.images |= {"kratos:1", "web:1", "worker:1"}
    await engine.runner().up(ONE)
    engine.lost.add("healthcheck")
    with pytest.raises(RunnerFailed, match="`parts` of green failed: the link is cut"):
        await engine.runner().parts()


async def test_logs_are_plain_and_name_their_part(engine: Engine) -> None:
    runner = engine.runner()
    await runner.up(ONE)
    lines = (await runner.logs(50)).splitlines()
    assert sorted(lines) == [f"{name} | {name} of {name}:1 begins" for name in ("kratos", "web", "worker")]
    assert len((await runner.logs(2)).splitlines()) == 2


async def test_what_is_cut_off_in_the_middle_is_settled_by_the_next_call(engine: Engine) -> None:
    runner = engine.runner()
    engine.hangs.add("start")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner.up(ONE), name="up")
        while not engine.did("start"):
            await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert engine.containers
    engine.hangs.clear()
    assert await runner.up(ONE) == "started 1.0.0\n"
    await runner.down()
    assert engine.containers == []


def test_yaml_of_podman_compose_and_json_of_docker_say_the_same() -> None:
    waits = "    depends_on: &a\n      db:\n        condition: service_healthy\n"
    yaml = f"services:\n  web:\n{waits}    image: w\n  db:\n    image: d\n"
    said = {
        "services": {
            "web": {"image": "w", "depends_on": {"db": {"condition": "service_healthy"}}},
            "db": {"image": "d"},
        }
    }
    assert services_of(yaml, yaml=True) == services_of(json.dumps(said), yaml=False)
    assert [*services_of(yaml, yaml=True)] == ["db", "web"]
