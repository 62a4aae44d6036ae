"""What is counted across processes, for Prometheus, and what one of them does for all."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table


class Tally(Table):
    """How often something has happened so far."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)


class Duty(Table):
    """Something that one relay does for all of them, once in a while."""

    __tablename__ = "duties"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    due_at: Mapped[datetime]
