"""Colours as compose projects of podman-compose, on a podman of our own."""

import pytest

from tests.platform.containers import Containers
from tests.platform.engine_promises import Promises

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


class TestPodman(Promises):
    """All that an engine has to do, on podman."""

    @pytest.fixture
    def engine(self, podman: Containers) -> Containers:
        return podman
