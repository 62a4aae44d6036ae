"""Jobs, their stages and shards, their events, and the replies kept for Idempotency-Key."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id

JOB_STATES = ("queued", "running", "cancelling", "canceled", "succeeded", "failed", "expired")
ACTIVE_STATES = ("queued", "running", "cancelling")
TERMINAL_STATES = ("canceled", "succeeded", "failed", "expired")
SHARD_STATES = ("queued", "running", "done", "failed", "canceled")

FIRST_STAGE = "prepare"
"""Every job begins with this stage of one shard; the worker that ran it plans the rest."""


class Job(Table):
    """One request for work."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index(None, "team_id", "id"),
        # the same work asked for twice is done once, also when it is asked for twice at once
        sa.Index(
            "uq_jobs_shared_fingerprint",
            "team_id",
            "fingerprint",
            unique=True,
            sqlite_where=sa.text("shared AND state IN ('queued', 'running', 'succeeded')"),
            postgresql_where=sa.text("shared AND state IN ('queued', 'running', 'succeeded')"),
        ),
        sa.Index(
            "ix_jobs_active",
            "state",
            sqlite_where=sa.text("state IN ('queued', 'running', 'cancelling')"),
            postgresql_where=sa.text("state IN ('queued', 'running', 'cancelling')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    state: Mapped[str] = mapped_column(sa.String(16), default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    """Higher goes first."""
    model_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("models.id"), index=True)
    dataset_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("datasets.id"), index=True)
    params: Mapped[dict[str, Any]]
    """Canonical: every default filled in."""
    labels: Mapped[dict[str, Any]]
    """The client's own notes."""
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    shared: Mapped[bool]
    """False for `reuse: false`: the job neither answers for later requests nor is answered by earlier ones."""
    stage: Mapped[str] = mapped_column(sa.String(32), default=FIRST_STAGE)
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=1)
    progress_unit: Mapped[str] = mapped_column(sa.String(16), default="shards")
    attempt: Mapped[int] = mapped_column(default=1)
    """1, and one more for each retry asked for."""
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every visible change; what long polls and ETags compare."""
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    summary: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    request_id: Mapped[str | None] = mapped_column(sa.String(64))
    """Of the request that submitted it, which the log lines of its workers carry, too."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]


class Stage(Table):
    """One step of a job; its shards may run in any order and at once."""

    __tablename__ = "stages"

    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(sa.String(32))
    unit: Mapped[str] = mapped_column(sa.String(16))
    shards: Mapped[int]
    created_at: Mapped[datetime]


class Shard(Table):
    """An independent piece of a stage: what one worker claims."""

    __tablename__ = "shards"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "stage_position", "index"),
        sa.ForeignKeyConstraint(["job_id", "stage_position"], ["stages.job_id", "stages.position"]),
        sa.Index(
            "ix_shards_claimable",
            "state",
            "priority",
            "id",
            sqlite_where=sa.text("state IN ('queued', 'running')"),
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"))
    stage_position: Mapped[int]
    index: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(16), default="queued")
    priority: Mapped[int]
    """The job's, beside the state so that the claim reads one index."""
    payload: Mapped[dict[str, Any]]
    weight: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=0)
    """Grows with each claim: the fencing token that a commit must show."""
    lease_owner: Mapped[str | None] = mapped_column(sa.String(128))
    lease_until: Mapped[datetime | None]
    task_id: Mapped[str | None] = mapped_column(sa.String(64))
    """The Celery task that holds the lease, so that it can be ended."""
    not_before: Mapped[datetime]
    published_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    seconds: Mapped[float | None]
    """How long the attempt that committed took."""
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


class Event(Table):
    """Something that happened to a job, in order."""

    __tablename__ = "events"

    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Counts from 1 within the job; the id of the server-sent event."""
    type: Mapped[str] = mapped_column(sa.String(32))
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class IdempotentReply(Table):
    """The reply to a request that carried an Idempotency-Key, given again for a day."""

    __tablename__ = "idempotent_replies"

    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    request_digest: Mapped[str] = mapped_column(sa.String(64))
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"))
    status: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(index=True)


class Worker(Table):
    """A worker process that was seen lately."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    device: Mapped[str] = mapped_column(sa.String(32))
    shards: Mapped[dict[str, Any]]
    """How many it has done since its process began, by the kind of their job."""
    gpu_used_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Memory of its GPU in use by anybody; None without CUDA."""
    gpu_total_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
