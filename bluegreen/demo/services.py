"""The routes of the sample application: `accounts` (log in, log out, who am I) and `shop` (front page,
orders).
"""

import secrets
from collections.abc import Mapping, Sequence

from aiohttp import web

from bluegreen.demo.faults import Faults
from bluegreen.demo.store import Account, Store

COOKIE, CSRF = "session", "csrf"
FORM = "application/x-www-form-urlencoded"
PROTO = "X-Forwarded-Proto"
PAGE = """<!doctype html>
<title>Sign in</title>
<form method="post" action="">
<input type="hidden" name="csrf_token" value="{token}">
<input name="user"><input type="password" name="password"><button>Sign in</button>
</form>
<footer>olympus v{version}</footer>
"""
STORE = web.AppKey("store", Store)
FAULTS = web.AppKey("faults", Faults)


async def login_page(request: web.Request) -> web.Response:
    """GET: a form for people, with a token against forged requests, and the release in its footer."""
    token = secrets.token_urlsafe(12)
    version = "0.0.1" if request.app[FAULTS].mislabelled else request.app[STORE].version
    answer = web.Response(text=PAGE.format(token=token, version=version), content_type="text/html")
    answer.set_cookie(CSRF, token, httponly=True, samesite="Lax")
    return answer


async def log_in(request: web.Request) -> web.Response:
    """POST {"user": …, "password": …}: a session cookie, or 401. Or the same from the form: then 303."""
    if request.content_type == FORM:
        return await _log_in_by_form(request)
    try:
        body = await request.json()
        user, password = str(body["user"]), str(body["password"])
    except (ValueError, KeyError, TypeError):
        return web.json_response({"error": 'send {"user": "…", "password": "…"}'}, status=400)
    refused = request.app[FAULTS].refuses(user)
    token = None if refused else await request.app[STORE].sign_in(user, password)
    if token is None:
        return web.json_response({"error": "name and password do not fit"}, status=401)
    answer = web.json_response({"user": user})
    answer.set_cookie(COOKIE, token, httponly=True, samesite="Lax")
    return answer


async def _log_in_by_form(request: web.Request) -> web.Response:
    form = await request.post()
    token = str(form.get("csrf_token", ""))
    if not token or not secrets.compare_digest(token, request.cookies.get(CSRF, "")):
        return web.Response(status=403, text="the form is not ours, or too old")
    user = str(form.get("user", ""))
    refused = request.app[FAULTS].refuses(user)
    session = None if refused else await request.app[STORE].sign_in(user, str(form.get("password", "")))
    if session is None:
        return web.Response(status=401, text="name and password do not fit")
    answer = web.Response(status=303, headers={"Location": "whoami"})
    answer.set_cookie(COOKIE, session, httponly=True, samesite="Lax", secure=request.headers.get(PROTO) == "https")
    answer.del_cookie(CSRF)
    return answer


async def log_out(request: web.Request) -> web.Response:
    """POST: the session of the cookie is over."""
    await request.app[STORE].sign_out(request.cookies.get(COOKIE, ""))
    answer = web.json_response({})
    answer.del_cookie(COOKIE)
    return answer


async def who_am_i(request: web.Request) -> web.Response:
    """GET: the account of the session, or 401."""
    account = await _account(request)
    if request.app[FAULTS].refuses(account.name):
        return _unauthorised()
    return web.json_response({"user": account.name, "greeting": account.greeting})


async def front_page(_: web.Request) -> web.Response:
    """GET: what anybody sees."""
    return web.json_response({"shop": "olympus", "items": ["lyre", "sandals", "trident"]})


async def list_orders(request: web.Request) -> web.Response:
    """GET: the newest orders of the session's account, or 401."""
    account = await _account(request)
    return web.json_response({"orders": await request.app[STORE].orders(account)})


async def place_order(request: web.Request) -> web.Response:
    """POST, with `?item=`: an order of the session's account, or 401."""
    account = await _account(request)
    number = await request.app[STORE].order(account, request.query.get("item", "lyre"))
    return web.json_response({"order": number}, status=201)


async def _account(request: web.Request) -> Account:
    account = await request.app[STORE].account(request.cookies.get(COOKIE, ""))
    if account is None or (request.app[FAULTS].forgetful and account.colour != request.app[STORE].colour):
        raise web.HTTPUnauthorized(text='{"error": "log in first"}', content_type="application/json")
    return account


def _unauthorised() -> web.Response:
    return web.json_response({"error": "log in first"}, status=401)


ROUTES: Mapping[str, Sequence[web.RouteDef]] = {
    "accounts": (
        web.get("/login", login_page),
        web.post("/login", log_in),
        web.post("/logout", log_out),
        web.get("/whoami", who_am_i),
    ),
    "shop": (web.get("/", front_page), web.get("/orders", list_orders), web.post("/orders", place_order)),
}
