"""Colours that cost nothing to start: one process is both of them, and a colour runs where its file names a release.

`python -m tests.e2e.puppets DIRECTORY` listens on the ports in DIRECTORY/ports.json. `up` and `down` are real commands,
DIRECTORY/puppet.sh: they write and remove the file of a colour, and say so in DIRECTORY/calls. What a colour does is
written in files too: `sick-COLOUR` fails its smoke checks, a release named `...-bad` fails its users, and `slow` holds
the seconds that `up` and `down` take.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

SERVICES = ("accounts", "shop")
COLOURS = ("blue", "green")

SCRIPT = """\
set -e
dir=$1 verb=$2 colour=$3
echo "$verb $colour ${4:-}" >> "$dir/calls"
if [ -e "$dir/slow" ]; then sleep "$(cat "$dir/slow")"; fi
case $verb in
up) printf %s "$4" > "$dir/$colour.new"; mv "$dir/$colour.new" "$dir/$colour" ;;
down) rm -f "$dir/$colour" ;;
esac
"""

Ports = dict[str, dict[str, int]]
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def build(directory: Path, ports: Ports) -> None:
    """Write what the process and the commands need."""
    directory.mkdir()
    (directory / "ports.json").write_text(json.dumps(ports))
    (directory / "puppet.sh").write_text(SCRIPT)


async def serve(directory: Path) -> None:
    """Answer for both colours until cancelled."""
    ports = json.loads((directory / "ports.json").read_text())
    async with asyncio.TaskGroup() as group:
        for colour in COLOURS:
            for service in SERVICES:
                server = await asyncio.start_server(
                    _answering(directory, colour, service), "127.0.0.1", ports[colour][service]
                )
                group.create_task(server.serve_forever(), name=f"{colour} {service}")
        (directory / "ready").touch()


def _answering(directory: Path, colour: str, service: str) -> Answering:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                reply = _reply(directory, colour, service, head.split(b" ", 2)[1].decode())
                if reply is None:
                    return
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    return answer


def _reply(directory: Path, colour: str, service: str, path: str) -> bytes | None:
    try:
        release = (directory / colour).read_text()
    except FileNotFoundError:
        return None  # nobody runs here
    sick = path == "/health/smoke" and (directory / f"sick-{colour}").exists()
    bad = path == "/" and release.endswith("-bad")
    status = "500 Broken" if sick or bad else "200 OK"
    body = json.dumps({"version": release, "colour": colour, "service": service}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nX-Colour: {colour}\r\nX-Version: {release}\r\n\r\n"
    return head.encode() + body


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
