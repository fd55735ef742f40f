"""Lines as Caddy 2.11 writes them into its access log, about 1 kB each, as a browser's requests make them."""

import json
import random
import time

CLIENTS = 500
PAGES = ("/orders/{}", "/users/{}/orders", "/", "/search", "/assets/app.{}.js", "/login", "/api/v1/items/{}", "/cart")
"""What they ask for; the number is of some thing of theirs."""

THINGS = 100_000


def various(number: int, status: int, service: str, upstream: str) -> list[bytes]:
    """So many lines of CLIENTS clients, who ask for PAGES and get their answers within 0.1 s."""
    return [_various(status, service, upstream) for _ in range(number)]


def _various(status: int, service: str, upstream: str) -> bytes:
    client = f"203.0.{random.randrange(CLIENTS) // 250}.{random.randrange(250)}"
    uri = random.choice(PAGES).format(random.randrange(THINGS)) + "?page=3&sort=latest"
    return line(status, service, upstream, duration=random.random() / 10, client=client, uri=uri)


def line(
    status: int,
    service: str,
    upstream: str,
    *,
    duration: float = 0.004,
    client: str = "127.0.0.1",
    uri: str = "/orders/2026/01/02?page=3&sort=latest",
) -> bytes:
    """One line, with its end. `duration` in seconds."""
    fields = {
        "level": "error" if status >= 500 else "info",
        "ts": time.time(),
        "logger": "http.log.access.log0",
        "msg": "handled request",
        "request": {
            "remote_ip": client,
            "remote_port": "35850",
            "client_ip": client,
            "proto": "HTTP/2.0",
            "method": "GET",
            "host": f"{service}.localhost",
            "uri": uri,
            "headers": _ASKED,
        },
        "bytes_read": 0,
        "user_id": "",
        "duration": duration,
        "size": 5120,
        "status": status,
        "resp_headers": _ANSWERED,
        "upstream": upstream,
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


_ASKED = {
    "User-Agent": ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0 Safari/537.36"],
    "Accept": ["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"],
    "Accept-Language": ["en-GB,en;q=0.7"],
    "Accept-Encoding": ["gzip, deflate, br, zstd"],
    "Cookie": ["REDACTED"],
    "Referer": ["https://shop.localhost/orders"],
    "Sec-Fetch-Mode": ["navigate"],
}
_ANSWERED = {
    "Server": ["Caddy"],
    "Content-Type": ["text/html; charset=utf-8"],
    "Date": ["Fri, 02 Jan 2026 12:00:00 GMT"],
    "Cache-Control": ["no-store"],
    "Set-Cookie": ["REDACTED"],
    "Via": ["1.1 Caddy"],
}
