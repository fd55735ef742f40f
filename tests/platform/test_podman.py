"""Colours as compose projects of podman-compose, on a podman of our own."""

from pathlib import Path

import pytest

from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import PartState
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from tests.platform import parts
from tests.platform.containers import Containers, Yard
from tests.platform.engine_promises import Promises
from tests.sshd import loopback

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


class TestPodman(Promises):
    """All that an engine has to do, on podman."""

    @pytest.fixture
    def engine(self, podman: Containers) -> Containers:
        return podman


async def test_a_project_is_run_over_ssh_all_the_same(
    podman: Containers, tmp_path: Path, short_directory: Path
) -> None:
    parts.sshd()
    image = podman.image("worker:1.0.0")
    (tmp_path / "compose.yaml").write_text(f"services:\n  worker: {{image: '{image}', network_mode: none}}\n")
    yard = Yard(podman, tmp_path)
    async with loopback(short_directory) as server:
        runner = yard.runner(live_only=(), host=server.ssh())
        try:
            assert "worker:1.0.0 is there" in await runner.prepare(Release("1.0.0"))
            assert await runner.up(Release("1.0.0", {"SAID": "it's $HOME"})) == "started 1.0.0\n"
            assert await runner.up(Release("1.0.0", {"SAID": "it's $HOME"})) == "worker runs 1.0.0 already\n"
            (part,) = await runner.parts()
            assert (part.state, part.image) == (PartState.RUNNING, image)
            assert await runner.logs(5) == "worker | 1.0.0 works"
            with pytest.raises(RunnerFailed, match=r"image localhost:9/x:1 of worker is not there"):
                await runner.prepare(Release("1.0.1", images={"worker": "localhost:9/x:1"}))
            assert await runner.down() == "stopped\n"
            assert podman.left(yard.project(Colour.GREEN)) == []
        finally:
            yard.clear()
