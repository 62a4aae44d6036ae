"""Links that show one thing of a team to whoever holds them."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id


class Share(Table):
    """A link to one thing; of its token only a digest is stored."""

    __tablename__ = "shares"
    __table_args__ = (sa.Index(None, "team_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    subject: Mapped[dict[str, Any]]
    """What is shown, by the fields that its kind is addressed with, all of them texts or null."""
    author: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
