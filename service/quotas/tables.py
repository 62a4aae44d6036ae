"""What a team may use, and the workers' time that it has used."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id


class Quota(Table):
    """What one team may use where that is not what the settings say; None is what they say, 0 is without a limit."""

    __tablename__ = "quotas"

    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"), primary_key=True)
    queued_jobs: Mapped[int | None]
    worker_seconds: Mapped[float | None]
    stored_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)


class WorkerTime(Table):
    """Time that a worker spent on a shard, whatever came of it."""

    __tablename__ = "worker_times"
    __table_args__ = (sa.Index(None, "team_id", "at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    at: Mapped[datetime]
    seconds: Mapped[float]
