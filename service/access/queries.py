"""Teams, members, keys, sign-ins and the audit log: made, found, ended."""

import hmac
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.keys import Key
from service.access.tables import ROLE_SCOPES, ApiKey, AuditEntry, Member, SignIn, Team
from service.database import new_id, now
from service.errors import Conflict, NotFound
from service.pagination import Page, PageRequest, paginate

USE_INTERVAL = timedelta(minutes=1)
"""How exactly `last_used_at` is kept, so that reading costs no write each time."""
SIGN_IN_LIFETIME = timedelta(days=7)


class Holder(NamedTuple):
    """A key and whose it is; the member is None of a key that is the team's own."""

    key: ApiKey
    member: Member | None

    @property
    def name(self) -> str:
        """What the holder's doings are signed by."""
        return self.key.name if self.member is None else self.member.name

    @property
    def scopes(self) -> Sequence[str]:
        """What the key may do, as far as the member's role goes at this time."""
        role = self.key.scopes if self.member is None else ROLE_SCOPES[self.member.role]
        return [scope for scope in self.key.scopes if scope in role]


# teams and members


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


def team_name(session: Session, team_id: uuid.UUID) -> str:
    """The team's name."""
    return session.get_one(Team, team_id).name


def list_members(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's members by name."""
    return paginate(session, _members(team_id), [Member.name], page)


def _members(team_id: uuid.UUID) -> sa.Select[Member]:
    return sa.select(Member).where(Member.team_id == team_id, Member.removed_at.is_(None))


def find_member(session: Session, team_id: uuid.UUID, name: str) -> Member | None:
    """The team's member of this name, None where there is none."""
    return session.scalars(_members(team_id).where(Member.name == name)).one_or_none()


def get_member(session: Session, team_id: uuid.UUID, name: str) -> Member:
    """The team's member of this name; raise NotFound."""
    if (member := find_member(session, team_id, name)) is None:
        raise NotFound(f"the team has no member named {name!r}")
    return member


def add_member(session: Session, team_id: uuid.UUID, name: str, role: str) -> Member:
    """Take a person into the team; raise Conflict for a name that a member has."""
    member = Member(id=new_id(), team_id=team_id, name=name, role=role, created_at=now(session))
    try:
        with session.begin_nested():
            session.add(member)
    except sa.exc.IntegrityError:
        raise Conflict(f"the team has a member named {name!r} already", "/name") from None
    return member


def remove_member(session: Session, member: Member) -> None:
    """Take a person out of the team, and revoke their keys."""
    member.removed_at = now(session)
    keys = sa.update(ApiKey).where(ApiKey.member_id == member.id, ApiKey.revoked_at.is_(None))
    session.execute(keys.values(revoked_at=member.removed_at))


# keys


def any_key(session: Session) -> bool:
    """Whether a key was ever made; from then on nobody is served without one."""
    return bool(session.scalar(sa.select(sa.select(ApiKey.id).exists())))


def add_key(
    session: Session,
    team_id: uuid.UUID,
    key: Key,
    name: str,
    scopes: list[str],
    expires_at: datetime | None,
    member: Member | None = None,
) -> Holder:
    """Store what is kept of a fresh key; raise Conflict for a name that a key in use has."""
    if session.scalar(_in_use(team_id).where(ApiKey.name == name)) is not None:
        raise Conflict(f"the team has a key named {name!r}; revoke it or choose another name", "/name")
    row = ApiKey(
        id=new_id(),
        team_id=team_id,
        member_id=member and member.id,
        name=name,
        prefix=key.prefix,
        digest=key.digest,
        scopes=scopes,
        created_at=now(session),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return Holder(row, member)


def _in_use(team_id: uuid.UUID) -> sa.Select[ApiKey]:
    return sa.select(ApiKey).where(ApiKey.team_id == team_id, ApiKey.revoked_at.is_(None))


def _held() -> sa.Select[ApiKey, Member]:
    return sa.select(ApiKey, Member).join(Member, Member.id == ApiKey.member_id, isouter=True)


def find_holder(session: Session, key: Key) -> Holder | None:
    """The holder of a key that is valid now, None of one that is unknown, revoked or expired."""
    row = session.execute(_held().where(ApiKey.prefix == key.prefix)).one_or_none()
    if row is None or not hmac.compare_digest(row[0].digest, key.digest):
        return None
    return _valid(session, Holder(*row))


def _valid(session: Session, holder: Holder) -> Holder | None:
    key = holder.key
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now(session)):
        return None
    return holder


def note_use(session: Session, row: ApiKey) -> None:
    """Remember that a key was used."""
    time = now(session)
    session.execute(sa.update(ApiKey).where(ApiKey.id == row.id).values(last_used_at=time))


def use_is_stale(session: Session, row: ApiKey) -> bool:
    """Whether the last use that is remembered lies back so far that this one is worth a write."""
    return row.last_used_at is None or row.last_used_at < now(session) - USE_INTERVAL


def list_keys(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's keys, oldest first, each as a Holder."""
    found = paginate(session, _held().where(ApiKey.team_id == team_id), [ApiKey.id], page)
    return Page([Holder(*row[:2]) for row in found.data], found.next_cursor)


def all_keys(session: Session) -> list[tuple[Holder, Team]]:
    """Every team's keys, for the person who runs the service."""
    rows = session.execute(
        _held().add_columns(Team).join(Team, Team.id == ApiKey.team_id).order_by(Team.name, ApiKey.id)
    )
    return [(Holder(key, member), team) for key, member, team in rows]


def get_key(session: Session, team_id: uuid.UUID | None, prefix: str) -> Holder:
    """The key of this prefix, of one team or of any where `team_id` is None; raise NotFound."""
    statement = _held().where(ApiKey.prefix == prefix)
    if team_id is not None:
        statement = statement.where(ApiKey.team_id == team_id)
    if (row := session.execute(statement).one_or_none()) is None:
        raise NotFound(f"there is no key ua_{prefix}_...")
    return Holder(*row)


def revoke_key(session: Session, row: ApiKey) -> None:
    """End a key; doing so again changes nothing."""
    if row.revoked_at is None:
        row.revoked_at = now(session)


# browsers


def sign_in(session: Session, holder: Holder, digest: str) -> SignIn:
    """Let a browser speak for the holder of a key from now on, as long as the key is valid; forget those long gone."""
    time = now(session)
    session.execute(sa.delete(SignIn).where(SignIn.expires_at < time))
    row = SignIn(digest=digest, key_id=holder.key.id, created_at=time, expires_at=time + SIGN_IN_LIFETIME)
    session.add(row)
    return row


def find_signed_in(session: Session, digest: str) -> Holder | None:
    """Whom a browser speaks for, None where it was signed out, too long ago, or by a key that is no longer valid."""
    statement = _held().join(SignIn, SignIn.key_id == ApiKey.id)
    row = session.execute(statement.where(SignIn.digest == digest, SignIn.expires_at > now(session))).one_or_none()
    return None if row is None else _valid(session, Holder(*row))


def sign_out(session: Session, digest: str) -> None:
    """Let a browser speak for nobody any more."""
    session.execute(sa.delete(SignIn).where(SignIn.digest == digest))


# the audit log


def record(session: Session, team_id: uuid.UUID, actor: str, action: str, subject: str, **more: str | None) -> None:
    """Write down who did what, as a part of the transaction that does it; more are key_prefix and request_id."""
    time = now(session)
    session.add(AuditEntry(team_id=team_id, at=time, actor=actor, action=action, subject=subject[:1024], **more))


def list_audit(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """What was done in the team, newest first, as far as it fits the page's filters."""
    statement = sa.select(AuditEntry).where(AuditEntry.team_id == team_id, *_filters(page.filters))
    return paginate(session, statement, [AuditEntry.id], page, descending=True)


def _filters(given: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [getattr(AuditEntry, name) == value for name, value in given.items() if value is not None]
