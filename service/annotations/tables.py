"""What people say of units, beside what was measured."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table


class Annotation(Table):
    """One version of a person's label or note on a unit; versions are added, never changed."""

    __tablename__ = "annotations"
    __table_args__ = (
        sa.Index(None, "layer_id", "unit"),
        sa.Index(
            "ix_annotations_current",
            "team_id",
            "id",
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Counts from 1."""
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"))
    unit: Mapped[int]
    current: Mapped[bool]
    """The newest version; the only thing of a row that ever changes."""
    category: Mapped[str | None] = mapped_column(sa.String(64))
    concept: Mapped[str | None] = mapped_column(sa.String(256))
    """With category the label; a person may name what no dataset has."""
    note: Mapped[str] = mapped_column(sa.Text)
    withdrawn: Mapped[bool]
    author: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
