"""Webhooks, and the messages on their way to them."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id

DELIVERY_STATES = ("pending", "delivered", "dead")
TEST_TYPE = "webhook.test"
"""The type of a message that somebody asked for to see whether it arrives; those of jobs are `job.succeeded` ..."""


class Webhook(Table):
    """An address that hears of a team's jobs as they end."""

    __tablename__ = "webhooks"
    __table_args__ = (sa.Index(None, "team_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    url: Mapped[str] = mapped_column(sa.String(2048))
    active: Mapped[bool]
    """False: it hears of no further job, and what waits for it goes on waiting."""
    secret: Mapped[str] = mapped_column(sa.String(64))
    """What its messages are signed by; it must be kept as it is, for a signature cannot be made from a digest."""
    previous_secret: Mapped[str | None] = mapped_column(sa.String(64))
    rotated_at: Mapped[datetime | None]
    author: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]


class Delivery(Table):
    """One message to one webhook, written in the transaction of what it tells."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.Index(None, "webhook_id", "id"),
        sa.Index(
            "ix_webhook_deliveries_due",
            "due_at",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    """Also the `webhook-id`, by which a receiver knows a message that it was sent before."""
    webhook_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("webhooks.id", ondelete="CASCADE"))
    job_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("jobs.id"))
    type: Mapped[str] = mapped_column(sa.String(32))
    body: Mapped[str] = mapped_column(sa.Text)
    """The very text that is signed and sent, the same in every attempt."""
    state: Mapped[str] = mapped_column(sa.String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    """Grows with each claim: the fencing token of the relay that sends it."""
    tries_left: Mapped[int]
    lease_until: Mapped[datetime | None]
    due_at: Mapped[datetime]
    last_status: Mapped[int | None]
    last_answer: Mapped[str | None] = mapped_column(sa.Text)
    """How the last attempt was answered, or why there was no answer."""
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
