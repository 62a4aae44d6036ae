"""What can be wrong with a key that somebody wants."""

from collections.abc import Sequence

from service.access.schemas import DEFAULT_SCOPES
from service.access.tables import ROLE_SCOPES, Member
from service.errors import Invalid


def check_scopes(wanted: Sequence[str] | None, member: Member | None) -> list[str]:
    """The scopes of a key for a member, or for nobody; raise Invalid for more than the member's role allows."""
    if member is None:
        return list(wanted or DEFAULT_SCOPES)
    allowed = ROLE_SCOPES[member.role]
    beyond = [scope for scope in wanted or () if scope not in allowed]
    if beyond:
        raise Invalid(f"a {member.role} may {', '.join(allowed)}, not {', '.join(beyond)}", "/scopes")
    return list(wanted or allowed)
