"""An HTTP server whose answers a test writes, well-behaved or not. It has threads of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs

Raw = Callable[[BinaryIO], object]
"""Writes the answer by itself, byte by byte."""


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body).items()}


@dataclass
class Server:
    """`answer` gives the status and the body of an answer, or writes it. `released` ends those that hang."""

    answer: "Callable[[Asked], tuple[int, bytes] | Raw]"
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)

    def hang(self, _: object = None) -> Raw:
        """An answer that never comes."""
        return lambda _: self.released.wait(60)


@contextmanager
def serving(answer: "Callable[[Asked], tuple[int, bytes] | Raw]") -> Iterator[Server]:
    """The server, while this lasts."""
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            server.asked.append(asked)
            given = server.answer(asked)
            with suppress(OSError):
                if callable(given):
                    given(self.wfile)  # type: ignore[arg-type]
                    self.close_connection = True
                    return
                status, text = given
                self.send_response(status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        do_GET = do_POST = _serve  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        listener.shutdown()
        listener.server_close()
        thread.join(10)


def vector(*values: object, at: float = 1795213387.9) -> bytes:
    """A vector of one series for each value, as Prometheus 2 answers."""
    series = ",".join(f'{{"metric":{{"n":"{n}"}},"value":[{at},"{value}"]}}' for n, value in enumerate(values))
    return f'{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}'.encode()
