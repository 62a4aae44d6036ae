"""Registering: a worker loads what is registered, and the request waits for it as long as it may."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify

from service.broker import publish
from service.context import after_commit, commit, db, services, team_id
from service.errors import Conflict, Reported
from service.jobs.queries import find_shared, queued_shards, wait_for
from service.jobs.replies import describe
from service.jobs.schemas import JobSchema
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job

PRIORITY = 1000
"""Before all other jobs: a request waits for it."""


class Unfinished(Exception):
    """No worker has come to an end with the registration yet."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} is {job.state}")
        self.job = job


def register(what: str, wanted: Mapping[str, Any], *, taken: bool) -> HTTPStatus:
    """Have a worker register a model or dataset: CREATED, or OK where it was registered before in the same way.

    Raise Conflict where the name is `taken` by something else, the problem that a worker met, or Unfinished.
    """
    request = JobRequest(team_id=team_id(), kind="registration", params={"what": what, **wanted}, priority=PRIORITY)
    if taken and find_shared(db(), team_id(), request.fingerprint) is None:
        raise Conflict(f"another {what} is named {wanted['name']!r} already; choose another name", "/name")
    job, status = submit(db(), request, services().settings)
    shards = queued_shards(db(), job)
    after_commit(lambda: publish(services().celery, shards))
    commit()  # nothing is held while the worker works
    _check_end(wait_for(services().sessions, job.id, services().settings.wait_seconds))
    return HTTPStatus.OK if status == HTTPStatus.OK else HTTPStatus.CREATED


def _check_end(job: Job) -> None:
    if job.error is not None:
        raise Reported(job.error)
    if job.state in ("canceled", "expired"):
        raise Conflict(f"the registration, job {job.id}, was {job.state} before it was done")
    if job.state != "succeeded":
        raise Unfinished(job)


def answer_unfinished(unfinished: Unfinished) -> Response:
    """Answer 202 with the job, whose end the client may wait for."""
    reply = jsonify(JobSchema().dump(describe(db(), [unfinished.job])[0]))
    reply.status_code = HTTPStatus.ACCEPTED
    reply.headers.extend({"Location": f"/v1/jobs/{unfinished.job.id}", "Retry-After": "2"})
    return reply
