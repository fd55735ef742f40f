"""Start and stop one colour of the sample application: the commands that the demonstration's configuration
calls.

`up` returns once both services answer; they are in sessions of their own and outlive whoever called it.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import click

from bluegreen.demo.application import FAULT_VARIABLE
from bluegreen.demo.children import EmbeddedFailed, tail
from bluegreen.demo.residents import Place
from bluegreen.demo.stack import COLOURS, SERVICES, Stack

TIMEOUT = 20.0
"""Seconds for both services to answer, and for another `up` or `down` of this colour to end."""


async def up(state: Path, colour: str, version: str, fault: str | None = None, timeout: float = TIMEOUT) -> None:
    """Both services of `colour` run `version`: what already does is left alone, another version is replaced.

    EmbeddedFailed, with the service's last words, when one does not answer within `timeout` seconds.
    """
    stack = Stack.load(state)
    async with _alone(state, colour, timeout):
        for place in places(state, colour):
            await place.ensure(stack, version, fault)
        for place in places(state, colour):
            await place.answering(stack, version, timeout)


async def down(state: Path, colour: str, timeout: float = TIMEOUT) -> None:
    """Neither service of `colour` runs; harmless when none does."""
    async with _alone(state, colour, timeout):
        for place in places(state, colour):
            await place.clear()


def logs(state: Path, colour: str, lines: int) -> str:
    """The last lines that each service of `colour` has written."""
    return "\n".join(f"== {colour} {at.service}\n{tail(at.log, lines)}" for at in places(state, colour))


def places(state: Path, colour: str) -> list[Place]:
    """Where the services of `colour` run."""
    return [Place(state, colour, service) for service in SERVICES]


@asynccontextmanager
async def _alone(state: Path, colour: str, timeout: float) -> AsyncIterator[None]:
    with (state / f"{colour}.lock").open("w") as lock:
        try:
            async with asyncio.timeout(timeout):
                while not _locked(lock.fileno()):
                    await asyncio.sleep(0.05)
        except TimeoutError as exc:
            raise EmbeddedFailed(f"another up or down of {colour} did not end within {timeout:g} s") from exc
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@click.group()
def main() -> None:
    """Start, stop and look at one colour of the sample application."""


STATE = click.option(
    "--state",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="of the stack",
)
COLOUR = click.option("--colour", required=True, type=click.Choice(COLOURS))


@main.command("up")
@STATE
@COLOUR
@click.option("--version", required=True, help="the release; may name a fault")
@click.option("--fault", default=None, envvar=FAULT_VARIABLE, help="over what the version says")
def up_command(state: Path, colour: str, version: str, fault: str | None) -> None:
    """Both services run this version, when this returns."""
    _run(up(state, colour, version, fault))


@main.command("down")
@STATE
@COLOUR
def down_command(state: Path, colour: str) -> None:
    """Neither service runs, when this returns."""
    _run(down(state, colour))


@main.command("logs")
@STATE
@COLOUR
@click.option("--lines", default=50, show_default=True)
def logs_command(state: Path, colour: str, lines: int) -> None:
    """What both services wrote last."""
    click.echo(logs(state, colour, lines))


def _run(story: Coroutine[None, None, None]) -> None:
    try:
        asyncio.run(story)
    except EmbeddedFailed as exc:
        raise click.ClickException(str(exc)) from exc


if __name__ == "__main__":
    main()
