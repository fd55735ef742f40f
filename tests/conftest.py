"""What all tests may use."""

import os

import pytest

from bluegreen.demo import ports
from tests import thorough

pytest_plugins = ["tests.real_parts"]

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    ports.turn, ports.turns = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The slow ones first. Leave out what is only for `make test-all`, but not what somebody names."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/e2e/"))
    if thorough.ALL or any("::" in argument for argument in config.args):
        return
    kept, out = thorough.parted([item.nodeid for item in items])
    config.hook.pytest_deselected(items=[items[place] for place in out])
    items[:] = [items[place] for place in kept]
