"""One message to one address: to the very one that was checked, within a time, and with little read of the answer."""

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import httpcore

from service.settings import Network, Settings
from service.webhooks.addresses import Refused, resolve

SECONDS = 15.0
"""For an attempt in all, after the name was resolved."""
MAX_ANSWER = 1000
"""Bytes that are read of an answer, so that a person sees what was wrong."""
FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError, Refused)


class Answer(NamedTuple):
    """What came back; without a status nothing did, and the text says why."""

    status: int | None
    text: str


class Sender:
    """Sends messages; redirects are answers like others, and no proxy of the environment is asked."""

    def __init__(self, settings: Settings) -> None:
        self.trusted = settings.trusted_networks
        self.tls = ssl.create_default_context()

    def send(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Post a message, and return what was answered or why nothing was."""
        backend = _CheckedBackend(self.trusted)
        given = [(name, value) for name, value in {**headers, "connection": "close"}.items()]
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self.tls, network_backend=backend) as pool,
                pool.stream("POST", url, headers=given, content=body.encode()) as response,
            ):
                return Answer(response.status, _beginning(response.iter_stream()))
        except FAILURES as error:
            return Answer(None, f"{type(error).__name__}: {error}"[:MAX_ANSWER])


def _beginning(chunks: Iterable[bytes]) -> str:
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) >= MAX_ANSWER:
            break
    return data[:MAX_ANSWER].decode(errors="replace").replace("\0", "")


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were looked at, and to no name: it might lead elsewhere when asked again."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self.trusted = trusted
        self.real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that answers; raise Refused where one of them is not open."""
        addresses = resolve(host, port, self.trusted)
        end = time.monotonic() + SECONDS
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, end, SECONDS / len(addresses))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, end, SECONDS)

    def _connect(self, address: str, port: int, end: float, seconds: float) -> httpcore.NetworkStream:
        return _TimedStream(self.real.connect_tcp(address, port, min(seconds, _left(end))), end)


class _TimedStream(httpcore.NetworkStream):
    """A stream that ends at a time, however slowly the other side goes on."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self.stream = stream
        self.end = end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _left(self.end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _left(self.end))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self.stream.start_tls(ssl_context, server_hostname, _left(self.end)), self.end)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout(f"no answer within {SECONDS:.0f} s")
    return left
