"""Links as the wire has them."""

from typing import Any

from service.sharing.addresses import shared_address
from service.sharing.subjects import Subject, address_of
from service.sharing.tables import Share

_SAME = ("id", "kind", "author", "created_at", "expires_at", "revoked_at")


def describe_share(share: Share) -> dict[str, Any]:
    """A link without its token, for `ShareSchema`."""
    address = address_of(Subject(share.kind, share.subject))
    return {**{name: getattr(share, name) for name in _SAME}, "address": address}


def describe_made(share: Share, token: str) -> dict[str, Any]:
    """A link just made, for `MadeShareSchema`."""
    described = describe_share(share)
    links = {"page": shared_address(token, "/"), "self": shared_address(token, described["address"])}
    return described | {"links": links}
