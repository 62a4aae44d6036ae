"""Teams and keys: made, found, revoked."""

import hmac
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.keys import Key
from service.access.tables import ApiKey, Team
from service.database import new_id, now
from service.errors import Conflict, NotFound
from service.pagination import Page, PageRequest, paginate

USE_INTERVAL = timedelta(minutes=1)
"""How exactly `last_used_at` is kept, so that reading costs no write each time."""


def find_team(session: Session, name: str) -> Team | None:
    """The team of this name, None where there is none."""
    return session.scalars(sa.select(Team).where(Team.name == name)).one_or_none()


def make_team(session: Session, name: str) -> Team:
    """The team of this name, made where there is none."""
    if (team := find_team(session, name)) is not None:
        return team
    team = Team(id=new_id(), name=name, created_at=now(session))
    try:
        with session.begin_nested():
            session.add(team)
    except sa.exc.IntegrityError:  # somebody else made it just now
        return session.scalars(sa.select(Team).where(Team.name == name)).one()
    return team


def any_key(session: Session) -> bool:
    """Whether a key was ever made; from then on nobody is served without one."""
    return bool(session.scalar(sa.select(sa.select(ApiKey.id).exists())))


def add_key(
    session: Session, team_id: uuid.UUID, key: Key, name: str, scopes: list[str], expires_at: datetime | None
) -> ApiKey:
    """Store what is kept of a fresh key; raise Conflict for a name that a key in use has."""
    if session.scalar(_in_use(team_id).where(ApiKey.name == name)) is not None:
        raise Conflict(f"the team has a key named {name!r}; revoke it or choose another name", "/name")
    row = ApiKey(
        id=new_id(),
        team_id=team_id,
        name=name,
        prefix=key.prefix,
        digest=key.digest,
        scopes=scopes,
        created_at=now(session),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row


def _in_use(team_id: uuid.UUID) -> sa.Select[ApiKey]:
    return sa.select(ApiKey).where(ApiKey.team_id == team_id, ApiKey.revoked_at.is_(None))


def find_key(session: Session, key: Key) -> ApiKey | None:
    """The row of a key that is valid now, None for one that is unknown, revoked or expired."""
    row = session.scalars(sa.select(ApiKey).where(ApiKey.prefix == key.prefix)).one_or_none()
    if row is None or not hmac.compare_digest(row.digest, key.digest) or row.revoked_at is not None:
        return None
    return row if row.expires_at is None or row.expires_at > now(session) else None


def note_use(session: Session, row: ApiKey) -> None:
    """Remember that a key was used."""
    time = now(session)
    session.execute(sa.update(ApiKey).where(ApiKey.id == row.id).values(last_used_at=time))


def use_is_stale(session: Session, row: ApiKey) -> bool:
    """Whether the last use that is remembered lies back so far that this one is worth a write."""
    return row.last_used_at is None or row.last_used_at < now(session) - USE_INTERVAL


def list_keys(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's keys, oldest first."""
    return paginate(session, sa.select(ApiKey).where(ApiKey.team_id == team_id), [ApiKey.id], page)


def all_keys(session: Session) -> list[tuple[ApiKey, Team]]:
    """Every team's keys, for the person who runs the service."""
    rows = session.execute(sa.select(ApiKey, Team).join(Team).order_by(Team.name, ApiKey.id))
    return [(key, team) for key, team in rows]


def get_key(session: Session, team_id: uuid.UUID | None, prefix: str) -> ApiKey:
    """The key of this prefix, of one team or of any where `team_id` is None; raise NotFound."""
    statement = sa.select(ApiKey).where(ApiKey.prefix == prefix)
    if team_id is not None:
        statement = statement.where(ApiKey.team_id == team_id)
    if (row := session.scalars(statement).one_or_none()) is None:
        raise NotFound(f"there is no key ua_{prefix}_...")
    return row


def revoke_key(session: Session, row: ApiKey) -> None:
    """End a key; doing so again changes nothing."""
    if row.revoked_at is None:
        row.revoked_at = now(session)
