"""Units that somebody put together, with notes and in an order."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id


class Collection(Table):
    """A list of units that a team keeps."""

    __tablename__ = "collections"
    __table_args__ = (sa.UniqueConstraint("team_id", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(sa.String(128))
    note: Mapped[str] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int]
    """Counts from 1 and grows with every change, so that nobody writes over what they have not seen."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CollectedUnit(Table):
    """A unit in a collection."""

    __tablename__ = "collected_units"
    __table_args__ = (sa.UniqueConstraint("collection_id", "layer_id", "unit"),)

    collection_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("collections.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place in the list, from 0."""
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"))
    unit: Mapped[int]
    note: Mapped[str] = mapped_column(sa.Text)
