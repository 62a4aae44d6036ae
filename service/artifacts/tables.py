"""Which immutable bytes exist and which teams may read them."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table


class Artifact(Table):
    """Immutable bytes named by their sha256; the bytes themselves lie in the artifact store."""

    __tablename__ = "artifacts"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    media_type: Mapped[str] = mapped_column(sa.String(128))
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime | None]
    """When somebody last stored it, or came to name it, see `collecting_queries`; None keeps it for ever."""


class ArtifactOwner(Table):
    """A team that uploaded an artifact or whose job produced it, and so may read it."""

    __tablename__ = "artifact_owners"

    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.ForeignKey("artifacts.digest"), primary_key=True, index=True)
