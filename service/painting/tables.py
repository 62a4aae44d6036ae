"""Paintings: strokes over one picture of a generator, and what they did."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id

PAINTING_STATES = ("queued", "running", "succeeded", "failed", "expired")
"""Waiting for a worker; claimed by one; painted; refused by the worker; not painted before its deadline."""


class Painting(Table):
    """One painting: the document that was asked for, and what came of it."""

    __tablename__ = "paintings"
    __table_args__ = (
        sa.Index(None, "team_id", "id"),
        sa.Index(None, "model_id", "id"),
        sa.Index(
            "ix_paintings_active",
            "state",
            "deadline_at",
            sqlite_where=sa.text("state IN ('queued', 'running')"),
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    model_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("models.id"))
    document: Mapped[dict[str, Any]]
    """Canonical: latent, layer and strokes with units, values and masks spelt out, so that it replays exactly."""
    warnings: Mapped[list[str]]
    """Why strokes may do less than was hoped for."""
    state: Mapped[str] = mapped_column(sa.String(16), default="queued")
    owner: Mapped[str | None] = mapped_column(sa.String(128))
    """The worker that claimed it."""
    result: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """What the strokes changed."""
    edited: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """The picture with the strokes, PNG."""
    unedited: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """The picture without them."""
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[datetime]
    deadline_at: Mapped[datetime]
    """What no worker finished by then is not worked on."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
