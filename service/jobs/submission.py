"""Submitting jobs: the same work is done once, and a request sent twice is answered alike."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.artifacts.queries import touch_named
from service.database import new_id, now
from service.errors import Conflict
from service.jobs.fingerprints import fingerprint
from service.jobs.queries import Idempotency, Reply, find_reply, find_shared
from service.jobs.tables import FIRST_STAGE, Event, IdempotentReply, Job, Shard, Stage
from service.logs import note, noted
from service.quotas.queries import check_quotas
from service.settings import Settings

RACES = 5
"""How many races for its fingerprint or key a submission may lose."""


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A team's wish for work, checked and with its canonical params."""

    team_id: uuid.UUID
    kind: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Digests of what the job reads: with kind and params, what its figures depend on."""
    model_id: uuid.UUID | None = None
    dataset_id: uuid.UUID | None = None
    priority: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    lifetime: timedelta | None = None
    """From submission, or from a retry, to the deadline."""
    shared: bool = True
    """False: neither answered by earlier jobs of the same fingerprint nor answering for later ones."""

    @property
    def fingerprint(self) -> str:
        """The digest that all requests for the same work share."""
        return fingerprint(self.kind, self.params, self.inputs)


def submit(session: Session, request: JobRequest, settings: Settings, idempotency: Idempotency | None = None) -> Reply:
    """Queue a job with its first shard (202), or find the team's shared job of the same fingerprint (200).

    A repeated idempotency key is answered as the first request was; raise Invalid where it came with another request,
    TooMany or StorageFull where the team may start no job now.
    """
    for _ in range(RACES):
        if reply := idempotency and find_reply(session, request.team_id, idempotency):
            return reply
        try:
            # another request for the same work, or with the same key, may come in between: then it answers
            with session.begin_nested():
                reply = _submit_once(session, request, settings, idempotency)
            note(job_id=reply.job.id)
            return reply
        except IntegrityError:
            continue
    raise Conflict("other requests for the same work keep coming in between; send this one again")


def _submit_once(session: Session, request: JobRequest, settings: Settings, idempotency: Idempotency | None) -> Reply:
    shared = find_shared(session, request.team_id, request.fingerprint) if request.shared else None
    reply = Reply(shared, 200) if shared else Reply(_queue(session, request, settings), 202)
    if idempotency:
        session.add(
            IdempotentReply(
                team_id=request.team_id,
                key=idempotency.key,
                request_digest=idempotency.request_digest,
                job_id=reply.job.id,
                status=reply.status,
                created_at=now(session),
            )
        )
    session.flush()
    return reply


def _queue(session: Session, request: JobRequest, settings: Settings) -> Job:
    check_quotas(session, request.team_id, settings)
    touch_named(session, request.params)
    time = now(session)
    job = Job(
        id=new_id(),
        team_id=request.team_id,
        kind=request.kind,
        priority=request.priority,
        model_id=request.model_id,
        dataset_id=request.dataset_id,
        params=dict(request.params),
        labels=dict(request.labels),
        fingerprint=request.fingerprint,
        shared=request.shared,
        request_id=noted("request_id"),
        created_at=time,
        deadline_at=time + request.lifetime if request.lifetime else None,
    )
    session.add(job)
    session.flush()
    session.add(Stage(job_id=job.id, position=0, name=FIRST_STAGE, unit="shards", shards=1, created_at=time))
    session.flush()
    session.add(_first_shard(job))
    session.add(Event(job_id=job.id, sequence=1, type="queued", data={}, at=time))
    return job


def _first_shard(job: Job) -> Shard:
    return Shard(
        job_id=job.id,
        stage_position=0,
        index=0,
        priority=job.priority,
        payload={},
        weight=1,
        not_before=job.created_at,
        published_at=job.created_at,  # by the caller, as soon as the transaction is over
    )
