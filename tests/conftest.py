"""What all tests may use."""

import os

from bluegreen.demo import ports

pytest_plugins = ["tests.real_parts"]

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    ports.turn, ports.turns = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
