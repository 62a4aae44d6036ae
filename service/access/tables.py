"""Teams, their members, the keys that speak for them, who is signed in by one, and what they did."""

import uuid
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id

LOCAL_TEAM = "local"
"""The team that everybody on a loopback address belongs to while no key exists."""
SCOPES = ("read", "write", "run", "admin")
ROLE_SCOPES: Mapping[str, tuple[str, ...]] = {"admin": SCOPES, "member": ("read", "write", "run"), "reader": ("read",)}
"""What a member of each role may do at the most, whatever the scopes of the key."""


class Team(Table):
    """People who share models, data and results."""

    __tablename__ = "teams"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]


class Member(Table):
    """A person in a team."""

    __tablename__ = "members"
    __table_args__ = (
        sa.Index(
            "uq_members_present",
            "team_id",
            "name",
            unique=True,
            sqlite_where=sa.text("removed_at IS NULL"),
            postgresql_where=sa.text("removed_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(sa.String(64))
    role: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class ApiKey(Table):
    """A key of a team; only the digest of its secret is stored."""

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"), index=True)
    member_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("members.id"), index=True)
    """Whose it is; None for a key of the team's own, say of a program."""
    name: Mapped[str] = mapped_column(sa.String(64))
    prefix: Mapped[str] = mapped_column(sa.String(16), unique=True)
    digest: Mapped[str] = mapped_column(sa.String(64))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class SignIn(Table):
    """A browser that was signed in by a key; of what its cookie holds only the digest is stored."""

    __tablename__ = "sign_ins"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("api_keys.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuditEntry(Table):
    """Something that somebody changed; rows are added and, as triggers see to it, never changed or removed."""

    __tablename__ = "audit_entries"
    __table_args__ = (sa.Index(None, "team_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(sa.String(64))
    """The member, or the name of a key that is nobody's."""
    key_prefix: Mapped[str | None] = mapped_column(sa.String(16))
    action: Mapped[str] = mapped_column(sa.String(64))
    """`jobs.submit`: the part of the API and the call."""
    subject: Mapped[str] = mapped_column(sa.String(1024))
    """The address of what was made or changed."""
    request_id: Mapped[str | None] = mapped_column(sa.String(64))
