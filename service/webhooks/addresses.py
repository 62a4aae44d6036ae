"""Where a webhook may lead: to the outside, and to what the person who runs the service trusts."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from service.errors import Invalid
from service.settings import Network, Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses behind a NAT64, in the last 32 bits."""
DOCUMENTED = ipaddress.IPv6Network("3fff::/20")
"""For examples in books; Python 3.11 does not know of it yet."""
_VISIBLE = re.compile(r"[!-~]+")


class Refused(Exception):
    """A name leads nowhere, or to where no webhook may lead."""


def is_open(address: Address, trusted: Sequence[Network] = ()) -> bool:
    """Whether an address is a public one, whatever it is wrapped into, or a trusted one."""
    address = _unwrapped(address)
    if any(address in network for network in trusted):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        return address in GLOBAL_UNICAST and address not in DOCUMENTED and address.is_global
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _unwrapped(address: Address) -> Address:
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def resolve(host: str, port: int, trusted: Sequence[Network] = ()) -> list[str]:
    """The addresses of a name; raise Refused where it has none, or one that is not open."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"the name {host!r} is not known: {error}") from None
    addresses = [*dict.fromkeys(str(entry[4][0]) for entry in found)]
    for address in addresses:
        if not is_open(ipaddress.ip_address(address), trusted):
            raise Refused(f"{host!r} leads to {address}, an internal address; webhooks lead to public ones")
    return addresses


def check_url(url: str, settings: Settings) -> str:
    """The address as it is; raise Invalid for one that no message could be sent to, as far as its text tells.

    What a name leads to is looked at whenever a message is sent, for that may change.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"the address cannot be read: {error}", "/url") from None
    schemes = ("https", "http") if settings.webhook_http else ("https",)
    if not _VISIBLE.fullmatch(url) or not parts.hostname or port == 0:
        raise Invalid("an address reads https://host/path, in ASCII; names of other scripts begin with xn--", "/url")
    if parts.scheme not in schemes:
        raise Invalid(f"an address begins with {' or '.join(f'{scheme}://' for scheme in schemes)}", "/url")
    if "@" in parts.netloc or "#" in url:
        raise Invalid("an address holds no password and no fragment; messages are signed instead", "/url")
    _check_literal(parts.hostname, settings.trusted_networks)
    return url


def _check_literal(host: str, trusted: Sequence[Network]) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_open(address, trusted):
        raise Invalid(f"{host} is an internal address; webhooks lead to public ones", "/url")
