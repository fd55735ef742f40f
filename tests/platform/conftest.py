"""What the tests on the platform may use: engines of containers, each started once for the whole run.

What is missing here skips its tests and says why (parts.py).
"""

from collections.abc import Iterator

import pytest

from tests.platform import containers
from tests.platform.installed import bare, hasty, installed, machine  # noqa: F401 - fixtures

pytest.register_assert_rewrite("tests.platform.engine_promises")


@pytest.fixture(scope="session")
def podman() -> Iterator[containers.Containers]:
    """podman and podman-compose, with images of our own."""
    with containers.podman() as engine:
        yield engine


@pytest.fixture(scope="session")
def docker() -> Iterator[containers.Containers]:
    """A docker engine and docker compose, with images of our own."""
    with containers.docker() as engine:
        yield engine
