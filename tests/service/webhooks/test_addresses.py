"""Which addresses are open, and which texts name one."""

import ipaddress
import socket
from dataclasses import replace

import pytest

from service.errors import Invalid, InvalidSetting
from service.settings import Settings
from service.webhooks.addresses import Refused, check_url, is_open, resolve

INTERNAL = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::127.0.0.1"),
    *("64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "2001:db8::1", "3fff::1", "2001::1"),
]
PUBLIC = [
    *("8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    "2002:808:808::1",
]


@pytest.mark.parametrize("text", INTERNAL)
def test_internal_addresses_are_closed(text: str) -> None:
    assert not is_open(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_open(text: str) -> None:
    assert is_open(ipaddress.ip_address(text))


def test_trusted_networks_are_open_and_no_others() -> None:
    trusted = Settings(webhook_networks="10.1.0.0/16, fd00:1::/32").trusted_networks
    for text, wanted in [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd00:1::9", True), ("10.2.0.1", False)]:
        assert is_open(ipaddress.ip_address(text), trusted) is wanted


def test_a_network_that_is_none_is_told_when_settings_are_read() -> None:
    with pytest.raises(InvalidSetting, match="UNITATLAS_WEBHOOK_NETWORKS"):
        Settings.from_environment({"UNITATLAS_WEBHOOK_NETWORKS": "10.1.0.1/16"})
    with pytest.raises(InvalidSetting, match="UNITATLAS_WEBHOOK_HTTP"):
        Settings.from_environment({"UNITATLAS_WEBHOOK_HTTP": "perhaps"})
    assert Settings.from_environment({"UNITATLAS_WEBHOOK_HTTP": "false"}).webhook_http is False
    assert Settings.from_environment({"UNITATLAS_WEBHOOK_HTTP": "True"}).webhook_http is True


def answer(*addresses: str) -> object:
    return lambda host, port, **_: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
    ]


def test_a_name_that_leads_inside_by_one_of_its_addresses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answer("8.8.8.8", "10.0.0.1"))
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        resolve("hooks.example", 443)
    monkeypatch.setattr(socket, "getaddrinfo", answer("8.8.8.8", "8.8.4.4", "8.8.8.8"))
    assert resolve("hooks.example", 443) == ["8.8.8.8", "8.8.4.4"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "localhost", "127.1"])
def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises(Refused):
        resolve(host, 80)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 64 + ".example", ".", "a..b"])
def test_a_name_without_addresses_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="not known"):
        resolve(host, 80)


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com/hook", "https://example.com:8443/", "HTTPS://example.com", "https://[2606:4700::1]/x"),
        "https://xn--bcher-kva.example/?a=b",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    assert check_url(url, Settings()) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "begins with https"),
        ("ftp://example.com/", "begins with https"),
        ("example.com", "reads https"),
        ("https://", "reads https"),
        ("https:///path", "reads https"),
        ("https://example.com:0/", "reads https"),
        ("https://bücher.example/", "xn--"),
        ("https://example.com/a b", "reads https"),
        ("https://example.com/\r\nX: y", "reads https"),
        ("https://example.com:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://user:password@example.com/", "no password"),
        ("https://example.com/#part", "no fragment"),
        ("https://127.0.0.1/", "internal"),
        ("https://[::1]/", "internal"),
        ("https://[::ffff:169.254.169.254]/", "internal"),
    ],
)
def test_addresses_that_are_not_taken(url: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        check_url(url, Settings())
    assert refused.value.errors[0]["pointer"] == "/url"


def test_settings_open_http_and_networks() -> None:
    with pytest.raises(Invalid):
        check_url("http://127.0.0.1/", replace(Settings(), webhook_http=True))
    given = Settings(webhook_http=True, webhook_networks="127.0.0.0/8")
    assert check_url("http://127.0.0.1/", given)
