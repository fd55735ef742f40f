"""What every runner does, done by real engines: the contract suite on podman-compose and docker compose."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.domain.traffic import Colour
from tests.adapters.runners.test_contract import (  # noqa: F401 - the suite
    Subject,
    test_a_call_that_hangs_can_be_cancelled,
    test_a_failure_names_verb_colour_and_reason_and_keeps_the_output,
    test_both_verbs_may_be_repeated,
)
from tests.platform.containers import Containers, Yard

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

STACK = "services:\n  worker: {image: '${IMAGE}', network_mode: none}\n"

ENGINE = """\
#!/bin/sh
case "$*" in
    *--no-start*) if [ -e {d}/fail-up ]; then echo no such image >&2; exit 1; fi ;;
    start*) if [ -e {d}/hang-up ]; then exec sleep 300; fi ;;
    ps*)
        if [ -e {d}/fail-down ]; then echo cannot stop >&2; exit 1; fi
        if [ -e {d}/hang-down ]; then exec sleep 300; fi ;;
esac
exec {program} "$@"
"""
"""Stands before an engine, or podman-compose, and breaks what it is told to break."""


def _wrapped(directory: Path, program: str) -> str:
    file = directory / Path(program).name
    file.write_text(ENGINE.format(d=directory, program=program))
    file.chmod(0o755)
    return str(file)


@pytest.fixture(params=["podman", "docker"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    engine: Containers = request.getfixturevalue(request.param)
    (tmp_path / "compose.yaml").write_text(STACK.replace("${IMAGE}", engine.image("worker:1.0.0")))
    yard = Yard(engine, tmp_path)
    words = [_wrapped(tmp_path, engine.tool[0]), *engine.tool[1:]]
    if engine.name == "podman":
        words += ["--podman-path", _wrapped(tmp_path, engine.engine[0])]
    runner = yard.runner(live_only=(), tool=tuple(words), settles=0.0)

    def running() -> str:
        form = '{{.Label "bluegreen.release"}}' if engine.name == "docker" else '{{index .Labels "bluegreen.release"}}'
        project = f"label=com.docker.compose.project={yard.project(Colour.GREEN)}"
        return engine.run("ps", "--filter", project, "--format", form).strip()

    yield Subject(
        runner,
        running,
        fail=lambda verb: (tmp_path / f"fail-{verb}").touch(),
        hang=lambda verb: (tmp_path / f"hang-{verb}").touch(),
    )
    yard.clear()
