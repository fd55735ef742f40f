"""One colour of several services: pages, logins, WebSockets, server-sent events and uploads.

`python -m tests.e2e.yard_app DIRECTORY COLOUR SERVICE=PORT...`. The release that it says it is stands in
DIRECTORY/COLOUR, without which it answers 503 and ends every stream: nobody runs here. A release named `...-bad` fails
the pages of users, and neither its checks nor the path that probes ask for. Every answer is signed with X-Colour.
"""

import asyncio
import hmac
import sys
from pathlib import Path

from aiohttp import WSMsgType, web

DIRECTORY = web.AppKey("directory", Path)
COLOUR = web.AppKey("colour", str)
TICK = 0.05
CHECKS = ("/", "/version", "/health/ready", "/health/smoke")


def release(app: web.Application) -> str:
    """What runs here; empty where nothing does."""
    file = app[DIRECTORY] / app[COLOUR]
    return file.read_text() if file.exists() else ""


async def page(request: web.Request) -> web.Response:
    """Whatever is asked for; a user who logs in gets a session."""
    said = release(request.app)
    if not said:
        return web.Response(status=503)
    body = await request.read()
    status = 500 if said.endswith("-bad") and request.path not in CHECKS else 200
    answer = web.json_response({"version": said, "colour": request.app[COLOUR], "got": len(body)}, status=status)
    if request.path == "/login":
        answer.set_cookie("session", minted(request.app), httponly=True)
    return answer


def minted(app: web.Application) -> str:
    """A session: signed with the first of the colour's secrets, where it was given any."""
    known = secrets(app)
    return f"ann.{signature(known[0])}" if known else "of-this-host"


def secrets(app: web.Application) -> list[str]:
    """SECRETS_COOKIE in DIRECTORY/COLOUR.env: the first signs, all are accepted."""
    file = app[DIRECTORY] / f"{app[COLOUR]}.env"
    given = dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.exists() else {}
    return [secret for secret in given.get("SECRETS_COOKIE", "").split(",") if secret]


def signature(secret: str) -> str:
    """What only who has the secret can make."""
    return hmac.new(secret.encode(), b"ann", "sha256").hexdigest()


async def whoami(request: web.Request) -> web.Response:
    """Whose session it is; 401 where none of the colour's secrets signed it."""
    name, _, signed = request.cookies.get("session", "").partition(".")
    if not any(hmac.compare_digest(signed, signature(secret)) for secret in secrets(request.app)):
        return web.Response(status=401)
    return web.json_response({"name": name, "colour": request.app[COLOUR]})


async def socket(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket that says its colour again and again, and ends politely when this colour is stopped."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    while release(request.app):
        await ws.send_str(request.app[COLOUR])
        try:
            message = await ws.receive(timeout=TICK)
        except TimeoutError:
            continue
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            break
    await ws.close(code=1012)
    return ws


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events, each of them our colour; `?for=` seconds, or until this colour is stopped."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Colour": request.app[COLOUR]})
    await answer.prepare(request)
    clock = asyncio.get_running_loop().time
    until = clock() + float(request.query.get("for", "3600"))
    while release(request.app) and clock() < until:
        await answer.write(f"data: {request.app[COLOUR]}\n\n".encode())
        await asyncio.sleep(TICK)
    await answer.write_eof()
    return answer


async def _sign(request: web.Request, answer: web.StreamResponse) -> None:
    answer.headers["X-Colour"], answer.headers["X-Version"] = request.app[COLOUR], release(request.app)


async def serve(directory: Path, colour: str, ports: dict[str, int]) -> None:
    """Answer until killed."""
    app = web.Application(client_max_size=64 * 2**20)
    app[DIRECTORY], app[COLOUR] = directory, colour
    app.router.add_get("/ws", socket)
    app.router.add_get("/whoami", whoami)
    app.router.add_get("/events", events)
    app.router.add_route("*", "/{path:.*}", page)
    app.on_response_prepare.append(_sign)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    for port in ports.values():
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    (directory / f"{colour}.ready").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    pairs = (word.split("=", 1) for word in sys.argv[3:])
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], {name: int(port) for name, port in pairs}))
