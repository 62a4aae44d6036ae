"""Messages over the wire: to the address that was checked, with bounds on all that may come back."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from service.settings import Settings
from service.webhooks import sending
from service.webhooks.sending import MAX_ANSWER, Sender
from tests.service.webhooks.receiver import receiving

PEM = Path(__file__).with_name("hooks.example.pem")
LOCAL = Settings(webhook_http=True, webhook_networks="127.0.0.0/8")


def leads_to(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """Let names lead to other addresses each time they are asked for; returns the names that were."""
    asked: list[str] = []
    real, waiting = socket.getaddrinfo, [*rounds]

    def look_up(host: str, port: int, *args: object, **more: object) -> object:
        if not host.endswith(".example"):
            return real(host, port, *args, **more)
        asked.append(host)
        addresses = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_message_arrives_as_it_is() -> None:
    with receiving(204, body=b"") as receiver:
        answer = Sender(LOCAL).send(receiver.url + "?a=b", {"webhook-id": "7"}, '{"æ":1}')
    assert answer == (204, "")
    [message] = receiver.messages
    assert (message.path, message.body, message.headers["webhook-id"]) == ("/hook?a=b", '{"æ":1}', "7")
    assert message.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_nothing_is_sent_to_an_internal_address() -> None:
    with receiving(200) as receiver:
        answer = Sender(Settings(webhook_http=True)).send(receiver.url, {}, "{}")
    assert answer.status is None
    assert "internal" in answer.text
    assert receiver.messages == []


def test_a_name_that_leads_elsewhere_when_asked_again_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trusting = Settings(webhook_http=True, webhook_networks="127.0.0.1/32")
    with receiving(200) as outside, receiving(200, host="127.0.0.2", port=outside.port) as inside:
        asked = leads_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        url = f"http://hooks.example:{outside.port}/"
        assert Sender(trusting).send(url, {}, "{}").status == 200
        assert asked == ["hooks.example"]
        answer = Sender(trusting).send(url, {}, "{}")
    assert (answer.status, len(outside.messages), inside.messages) == (None, 1, [])
    assert "127.0.0.2" in answer.text


def test_a_redirect_is_not_followed() -> None:
    with receiving(307) as receiver:
        assert Sender(LOCAL).send(receiver.url, {}, "{}").status == 307
    assert len(receiver.messages) == 1


def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(200) as receiver:
        leads_to(monkeypatch, ["127.0.0.3", "127.0.0.1"])
        assert Sender(LOCAL).send(f"http://hooks.example:{receiver.port}/", {}, "{}").status == 200


def test_tls_is_of_the_name_though_the_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    leads_to(monkeypatch, ["127.0.0.1"])
    names: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    with receiving(200, tls=tls) as receiver:
        stranger = Sender(LOCAL).send(f"https://hooks.example:{receiver.port}/", {}, "{}")
        assert stranger.status is None
        assert "CERTIFICATE_VERIFY_FAILED" in stranger.text
        sender = Sender(LOCAL)
        sender.tls = ssl.create_default_context(cafile=PEM)
        assert sender.send(f"https://hooks.example:{receiver.port}/", {}, "{}") == (200, "thanks")
        assert sender.send(f"https://other.example:{receiver.port}/", {}, "{}").status is None
    assert names == ["hooks.example", "hooks.example", "other.example"]
    assert len(receiver.messages) == 1


def test_little_is_read_of_an_answer() -> None:
    with receiving(500, body=b"\0\xff" + b"x" * 10_000_000) as receiver:
        answer = Sender(LOCAL).send(receiver.url, {}, "{}")
    assert answer.status == 500
    assert len(answer.text) <= MAX_ANSWER
    assert "\0" not in answer.text


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_whoever_answers_drop_by_drop_is_left(monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    over = threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(first)
            while not over.wait(0.02):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        answer = Sender(LOCAL).send(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, "{}")
        over.set()
        thread.join()
    assert answer.status is None  # else it would go on for ever, each drop beginning a time of its own


@pytest.mark.parametrize("junk", [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 2x0 \r\n\r\n"])
def test_what_is_no_http_is_told(junk: bytes) -> None:
    def answer_junk() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(junk)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_junk)
        thread.start()
        answer = Sender(LOCAL).send(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, "{}")
        thread.join()
    assert answer.status is None
    assert answer.text


def test_nobody_at_the_address(free_port: int) -> None:
    answer = Sender(LOCAL).send(f"http://127.0.0.1:{free_port}/", {}, "{}")
    assert answer.status is None
    assert "refused" in answer.text


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
