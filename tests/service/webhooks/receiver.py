"""A receiver of webhooks that answers as it is told, and keeps what it was sent."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import NamedTuple


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: str


class Receiver:
    """Answers each message with the next of its statuses, the last one for ever."""

    def __init__(self, server: ThreadingHTTPServer, statuses: Sequence[int], body: bytes) -> None:
        self.server = server
        self.statuses = list(statuses)
        self.body = body
        self.messages: list[Received] = []
        self.before: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def status(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiving(
    *statuses: int, body: bytes = b"thanks", host: str = "127.0.0.1", port: int = 0, tls: SSLContext | None = None
) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            text = self.rfile.read(length).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.messages.append(Received(self.path, headers, text))
            receiver.before()
            self.send_response(receiver.status())
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(server, statuses or [200], body)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()
