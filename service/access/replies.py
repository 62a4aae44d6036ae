"""Members, keys and callers as the wire has them."""

from typing import Any

from service.access.queries import Holder
from service.context import Caller
from service.sharing.replies import describe_share

_KEY_FIELDS = ("prefix", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")


def describe_key(holder: Holder) -> dict[str, Any]:
    """A key without its secret, for `KeySchema`."""
    member = holder.member and holder.member.name
    return {**{name: getattr(holder.key, name) for name in _KEY_FIELDS}, "member": member}


def describe_caller(caller: Caller, team: str) -> dict[str, Any]:
    """Who is asking, for `CallerSchema`; the holder of a link hears of the link alone."""
    linked = caller.share is not None
    return {
        "team": None if linked else team,
        "name": caller.name,
        "role": caller.role,
        "scopes": caller.scopes,
        "key": caller.key_prefix,
        "share": caller.share and describe_share(caller.share),
    }
