"""Ends a demonstration that was kept (`make demo ARGS=--keep`): `python -m bluegreen.demo.sweep DIRECTORY`."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bluegreen.demo import colour as colours
from bluegreen.demo.children import Child
from bluegreen.demo.stack import COLOURS

FILE = "kept.json"


def remember(directory: Path, pids: Sequence[int | None]) -> None:
    """Write down which processes were kept; a pid counts with its start time, so that no later process is meant."""
    children = [Child.of(pid) for pid in pids if pid is not None]
    kept = [(child.pid, child.started) for child in children if child is not None]
    (directory / FILE).write_bytes(msgspec.json.encode(kept))


async def sweep(directory: Path) -> None:
    """End what was kept in the directory, and remove it."""
    kept = msgspec.json.decode((directory / FILE).read_bytes(), type=list[tuple[int, int]])
    for colour in COLOURS:
        await colours.down(directory / "sample", colour)
    for pid, started in kept:
        await Child(pid, started).stop()
    shutil.rmtree(directory)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
def main(directory: Path) -> None:
    """End the demonstration that was kept in DIRECTORY, and remove it."""
    if not (directory / FILE).exists():
        raise click.ClickException(f"no demonstration was kept in {directory}")
    asyncio.run(sweep(directory))


if __name__ == "__main__":
    main()
