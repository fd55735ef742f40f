"""The files of variables mean to docker compose what they mean to us: the domain's table, asked of the real one."""

import json
from pathlib import Path

import pytest

from bluegreen.processes import environment, run_command
from tests.domain.test_env_text import READ
from tests.platform.parts import docker, docker_compose

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

FILLED_IN = "nothing is filled in"
"""Where compose does what we do not."""


async def test_every_file_of_the_table_is_read_as_docker_compose_reads_it(tmp_path: Path) -> None:
    docker_compose()
    cases = {f"s{number}": case for number, (name, case) in enumerate(READ.items()) if name != FILLED_IN}
    services = {name: {"image": "none", "env_file": [f"{name}.env"]} for name in cases}
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": services}))
    for name, (text, _) in cases.items():
        (tmp_path / f"{name}.env").write_text(text, newline="")
    argv = [str(docker()), "compose", "--project-directory", str(tmp_path), "config", "--format", "json"]
    ran = await run_command(argv, timeout=60.0, env=environment(), cwd=tmp_path)
    assert ran.code == 0, ran.output
    found = json.loads(ran.output)["services"]
    read = {name: _unescaped(found[name].get("environment") or {}) for name in cases}
    assert read == {name: dict(values) for name, (_, values) in cases.items()}


def _unescaped(given: dict[str, str]) -> dict[str, str]:
    """`config` writes every dollar twice."""
    return {name: value.replace("$$", "$") for name, value in given.items()}
