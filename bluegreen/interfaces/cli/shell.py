"""What all verbs share: the global options (before and after the verb), asking the daemon, and telling what failed."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

from bluegreen import __version__
from bluegreen.interfaces.cli import exits
from bluegreen.interfaces.cli.exits import Exit

if TYPE_CHECKING:  # aiohttp costs half of a verb's start: it is imported when the daemon is asked
    from bluegreen.interfaces.client import Client, Reply

T = TypeVar("T")

PAGE = 200
"""Items that are asked for at a time."""

DEFAULT_SOCKET = "/run/bluegreen/api.sock"


def _socket() -> Path:
    return Path(os.environ.get("BLUEGREEN_SOCKET") or DEFAULT_SOCKET)


@dataclass(frozen=True, slots=True)
class OfflineCutback:
    """A cutback without the daemon: where the configuration is, why, and `if_watched` for the failsafe unit."""

    config: Path
    reason: str = ""
    force: bool = False
    if_watched: bool = False


@dataclass
class Shell:
    """How this invocation talks. `following`: the deployment that goes on when Ctrl-C is pressed; `left`: what else
    goes on then, in words, and where to look. `offline` makes a cutback without the daemon, `offline_commands` prints
    how a backup is restored by hand, `offline_snippet` gives the lines for the Caddyfile: the top floor sets them,
    which knows files, Caddy and Postgres."""

    socket: Path = field(default_factory=_socket)
    output: str = "text"
    quiet: bool = False
    verbose: bool = False
    following: str = ""
    left: tuple[str, tuple[str, ...]] = ("", ())
    offline: "Callable[[Shell, OfflineCutback], Exit] | None" = None
    offline_commands: "Callable[[Shell, Path, str], None] | None" = None
    offline_snippet: "Callable[[Shell, Path], str] | None" = None

    @property
    def json(self) -> bool:
        """True where a program reads what we print."""
        return self.output == "json"

    @property
    def repaints(self) -> bool:
        """True where there is a person at a terminal that can be repainted."""
        capable = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return capable and not self.json and not self.quiet

    def ask(self, work: "Callable[[Client], Awaitable[T]]", *, without_daemon: tuple[str, ...] = ()) -> T:
        """Do `work` with the daemon; where that fails, say why and end with the exit code for it. `without_daemon` are
        commands that do it where none answers."""
        from bluegreen.interfaces.client import Client, ClientError

        async def connected() -> T:
            async with Client(self.socket) as client:
                return await work(client)

        try:
            return asyncio.run(connected())
        except ClientError as exc:
            code = exits.of_problem(exc.code, exc.status)
            commands = exc.next or _help(code)
            self.fail(exc.detail, (*without_daemon, *commands) if code is Exit.NOT_RUNNING else commands, code)
        except KeyboardInterrupt:
            self._detach()

    def show(self, reply: "Reply[T]", lines: Callable[[T], Iterable[str]], *, stream: bool = False) -> None:
        """Print an answer: the daemon's own document for programs (on one line in a stream), lines for people."""
        if self.json:
            self.say_json(reply.document, indent=None if stream else 2)
        else:
            self.say(lines(reply.value))

    def say(self, lines: Iterable[str]) -> None:
        """Print lines for people."""
        for line in _fitted(lines, sys.stdout):
            _print(line)

    def say_json(self, document: Any, indent: int | None = 2) -> None:
        """Print a document for programs; everything outside of ASCII is escaped, so no terminal obeys it."""
        _print(json.dumps(document, indent=indent))

    def remark(self, lines: Iterable[str]) -> None:
        """Print lines that are no result: aside where a program reads the result, not at all when quiet."""
        if not self.quiet:
            for line in _fitted(lines, sys.stderr if self.json else sys.stdout):
                _print(line, err=self.json)

    def fail(self, detail: str, commands: tuple[str, ...], code: Exit) -> NoReturn:
        """Say what went wrong and what to type next, and end."""
        from bluegreen.interfaces import text

        first, *more = text.block(detail) or ["something went wrong"]
        # What comes from outside never begins a line: there stand our own first words.
        further = (f"  {line.removeprefix('  ')}" for line in more)
        lines = [f"{text.mark(text.FAILED)} {first}", *further, *text.commands(text.cleaned(commands))]
        for line in _fitted(lines, sys.stderr):
            click.echo(line, err=True)
        sys.exit(code)

    def _detach(self) -> NoReturn:
        from bluegreen.interfaces import text

        if self.following:
            click.echo(f"\nDetached. Deployment {self.following} goes on without you.", err=True)
            for line in text.commands((f"bluegreen watch {self.following}", f"bluegreen abort {self.following}")):
                click.echo(line, err=True)
        elif self.left[0]:
            click.echo(f"\nDetached. {self.left[0]}", err=True)
            for line in text.commands(self.left[1]):
                click.echo(line, err=True)
        sys.exit(Exit.DETACHED)


def _help(code: Exit) -> tuple[str, ...]:
    """What to type where the daemon refused what a verb was given."""
    context = click.get_current_context(silent=True)
    return (f"{context.command_path} --help",) if context is not None and code is Exit.USAGE else ()


def _print(line: str, *, err: bool = False) -> None:
    """Print a line. Where that fails (a full disk, a terminal that is gone) the verb ends, and says so on the other
    side; what was ordered is the daemon's by then. A closed pipe is for click."""
    try:
        click.echo(line, err=err)
    except BrokenPipeError:
        raise
    except OSError as exc:
        with suppress(OSError):
            click.echo(f"✖ The output cannot be written: {exc.strerror or exc}.\n  next: bluegreen status", err=True)
        os._exit(Exit.ERROR)  # no further attempt on the same stream, with a traceback, when Python ends


async def pages(
    ask: "Callable[[int, Any], Awaitable[Reply[Any]]]", first: Any, number: int
) -> tuple[list[Any], list[Any]]:
    """At most `number` items of a list that comes page by page from the cursor `first` on; and their documents."""
    items: list[Any] = []
    documents: list[Any] = []
    cursor = first
    while cursor is not None and len(items) < number:
        page = await ask(min(PAGE, number - len(items)), cursor)
        items += page.value.items
        documents += page.document["items"]
        cursor = page.value.cursor
    return items, documents


def _fitted(lines: Iterable[str], stream: TextIO) -> Iterable[str]:
    """Lines that fit the terminal; elsewhere as they are, for grep."""
    from bluegreen.interfaces import text

    if not stream.isatty():
        return lines
    width = shutil.get_terminal_size().columns
    return (piece for line in lines for piece in text.wrapped(line, width))


config_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, readable=False),  # reading it says more than click does
    envvar="BLUEGREEN_CONFIG",
    default=Path("/etc/bluegreen/bluegreen.toml"),
    show_default=True,
    help="The configuration file (BLUEGREEN_CONFIG).",
)


class Verb(click.Command):
    """A verb, with the global options after it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options()


def verb(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Make a verb of a function; its first argument is the Shell."""

    def decorate(function: Callable[..., Any]) -> Verb:
        return click.command(name, cls=Verb, **attributes)(click.pass_obj(function))

    return decorate


def global_options() -> list[click.Parameter]:
    """The options that every verb knows."""
    options: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (("--socket",), {"type": click.Path(path_type=Path), "help": "The daemon's socket (BLUEGREEN_SOCKET)."}),
        (("-o", "--output"), {"type": click.Choice(["text", "json"]), "help": "For people, or for programs."}),
        (("--no-color", "colourless"), {"is_flag": True, "default": None, "help": "No colour (NO_COLOR)."}),
        (("-q", "--quiet"), {"is_flag": True, "default": None, "help": "Results and errors only."}),
        (("-v", "--verbose"), {"is_flag": True, "default": None, "help": "Say more."}),
    ]
    made: list[click.Parameter] = [
        click.Option(names, expose_value=False, callback=_remember, **attributes) for names, attributes in options
    ]
    version = click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
    )
    return [*made, version]


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    shell = context.ensure_object(Shell)
    if os.environ.get("NO_COLOR"):
        context.color = False
    if value is None or parameter.name is None:
        return
    if parameter.name == "colourless":
        context.color = False
    else:
        setattr(shell, parameter.name, value)


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"bluegreen {__version__}")
        context.exit()
