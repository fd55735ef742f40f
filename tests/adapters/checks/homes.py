"""A stack that people log in to, as an identity server does it: one process of a colour, on a real HTTP server."""

from aiohttp import web

PASSWORD = "correct-horse-battery"
PAGE = """<html><form action="{action}" method="post"><input type="hidden" name="csrf_token" value="{csrf}">
<input name="user"><input type="password" name="password"></form><footer>olympus v{version}</footer></html>"""


class Home:
    """Answers as one process does; the sessions that it takes are those that `knows` them: share it, and the colours
    are one stack."""

    def __init__(self, version: str = "1.2.0", knows: set[str] | None = None, name: str = "a") -> None:
        self.version, self.knows, self.name = version, knows if knows is not None else set(), name
        self.action = "?flow=f%201"
        self.csrf = 'csrf-"9c1f"&<+'
        self.asked: list[web.Request] = []
        self.echo = ""
        self.made = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What this process says to a request."""
        self.asked.append(request)
        body = await request.read()
        if self.echo:
            told = f"{self.echo} {body.decode()} {dict(request.headers)} {request.path_qs}"
            return web.Response(status=500, text=told)
        match request.method, request.path:
            case "GET", "/login":
                page = PAGE.format(action=self.action, csrf=_escaped(self.csrf), version=self.version)
                answer = web.Response(text=page, content_type="text/html")
                answer.set_cookie("csrf", "cookie-of-the-form", secure=True)
                return answer
            case "POST", "/login":
                return await self._log_in(request)
            case "GET", "/me":
                if request.cookies.get("session") not in self.knows:
                    return web.json_response({}, status=401)
                return web.json_response({"user": "ann", "by": self.name})
            case "POST", "/logout":
                self.knows.discard(request.cookies.get("session", ""))
                return web.Response(status=204)
        return web.Response(status=404)

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if request.cookies.get("csrf") != "cookie-of-the-form" or form.get("csrf_token") != self.csrf:
            return web.Response(status=403, text=f"{form.get('csrf_token')!s} is not the token")
        if form.get("password") != PASSWORD or request.path_qs != "/login?flow=f%201":
            return web.Response(status=401)
        self.made += 1
        session = f"session-of-{self.name}-{self.made}"
        self.knows.add(session)
        answer = web.Response(status=303, headers={"Location": "me"})
        answer.set_cookie("session", session, secure=True, path="/", httponly=True)
        return answer


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
