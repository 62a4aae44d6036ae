"""Making a link."""

from datetime import datetime
from typing import Any

from service.access.keys import digest_of, make_token
from service.context import caller, db, team_id
from service.database import now
from service.errors import Invalid
from service.sharing import queries
from service.sharing.replies import describe_made
from service.sharing.schemas import LIFETIME, LONGEST
from service.sharing.showing import check_subject
from service.sharing.subjects import read_address


def make_share(address: str, wanted_end: datetime | None) -> dict[str, Any]:
    """Make a link that shows what is at an address, with its token; raise Invalid, NotFound."""
    subject = check_subject(db(), team_id(), read_address(address))
    token, until = make_token(), _end(wanted_end)
    made = queries.add_share(db(), team_id(), digest_of(token), *subject, caller().name, until)
    return describe_made(made, token)


def _end(wanted: datetime | None) -> datetime:
    time = now(db())
    end = wanted or time + LIFETIME
    if not time < end <= time + LONGEST:
        raise Invalid(f"a link lasts until a time to come, at most {LONGEST.days} days", "/expires_at")
    return end
