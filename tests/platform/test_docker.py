"""Colours as compose projects of docker compose, on a docker engine of our own."""

import pytest

from tests.platform.containers import Containers
from tests.platform.engine_promises import Promises

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


class TestDocker(Promises):
    """All that an engine has to do, on docker."""

    @pytest.fixture
    def engine(self, docker: Containers) -> Containers:
        return docker
