"""Submitting jobs, following them, and ending them early."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from service.api import Blueprint, check_version, page_of
from service.broker import publish
from service.context import after_commit, db, services, team_id
from service.database import reading
from service.jobs import events, queries, submission
from service.jobs.estimates import Estimate
from service.jobs.fingerprints import digest
from service.jobs.kinds import CHECKS, Checked
from service.jobs.replies import describe
from service.jobs.requests import REQUEST_BODY, JobRequestSchema
from service.jobs.schemas import (
    EstimateSchema,
    EventSchema,
    EventsQuerySchema,
    IdempotencySchema,
    JobSchema,
    JobsQuerySchema,
    LastEventSchema,
    WaitSchema,
)
from service.jobs.tables import TERMINAL_STATES, Job
from service.pagination import MAX_LIMIT, Page, PageRequest
from service.quotas.queries import check_quotas

RETRY_AFTER = {"Retry-After": "2"}

blueprint = Blueprint("jobs", "Requests for work, from submission to summary.")


def publish_shards(job: Job) -> None:
    """Tell workers of the job's shards once the request's transaction is committed."""
    shards = queries.queued_shards(db(), job)
    after_commit(lambda: publish(services().celery, shards))


def _describe(job: Job) -> dict[str, Any]:
    return describe(db(), [job])[0]


def check(session: Session, wanted: dict[str, Any]) -> Checked:
    """Check that what the team wants can be done; raise Invalid that points at the fault."""
    return CHECKS[wanted["kind"]](session, team_id(), wanted, services().settings.scratch_bytes)


@blueprint.post("/jobs")
@blueprint.requires("run")
@blueprint.describe(requestBody=REQUEST_BODY)
@blueprint.arguments(JobRequestSchema)
@blueprint.arguments(IdempotencySchema, location="headers")
@blueprint.also(200, JobSchema, description="The job that does, or did, this work already")
@blueprint.response(202, JobSchema)
def submit(wanted: dict[str, Any], headers: dict[str, Any]) -> Any:
    """Submit a job."""
    key = headers["key"] and queries.Idempotency(headers["key"], digest({"path": request.path, "body": wanted}))
    job, status = submission.submit(db(), check(db(), wanted).request, services().settings, key)
    if status == 202:
        publish_shards(job)
    return _describe(job), status, {"Location": f"/v1/jobs/{job.id}"} | RETRY_AFTER


@blueprint.post("/jobs:estimate")
@blueprint.requires("read")
@blueprint.describe(requestBody=REQUEST_BODY)
@blueprint.arguments(JobRequestSchema)
@blueprint.response(200, EstimateSchema)
def estimate(wanted: dict[str, Any]) -> Estimate:
    """Reckon what a job would cost; nothing is queued."""
    with reading(services().sessions) as session:
        return check(session, wanted).estimate(session, queries.count_workers(session))


@blueprint.get("/jobs")
@blueprint.requires("read")
@blueprint.paginated(JobSchema, JobsQuerySchema)
def list_jobs(page: PageRequest) -> Page:
    """List the team's jobs, newest first."""
    found = queries.list_jobs(db(), team_id(), page)
    return Page(describe(db(), found.data), found.next_cursor)


@blueprint.get("/jobs/<uuid:job_id>")
@blueprint.requires("read")
@blueprint.arguments(WaitSchema, location="query")
@blueprint.response(200, JobSchema)
def get_job(query: dict[str, Any], job_id: UUID) -> dict[str, Any]:
    """Retrieve a job; with `wait`, once it has another version than If-None-Match names or has ended."""
    sessions = services().sessions
    with reading(sessions) as session:
        queries.find_job(session, team_id(), job_id)
    seconds = min(query["wait"], services().settings.wait_seconds)
    job = queries.wait_for(sessions, job_id, seconds, enough=_is_news)
    check_version(job.version)
    return _describe(job)


def _is_news(job: Job) -> bool:
    seen = request.if_none_match
    return bool(seen) and not seen.contains_weak(str(job.version))


@blueprint.get("/jobs/<uuid:job_id>/events")
@blueprint.requires("read")
@blueprint.describe(responses={200: {"content": {events.MEDIA_TYPE: {"schema": {"type": "string"}}}}})
@blueprint.arguments(EventsQuerySchema, location="query")
@blueprint.arguments(LastEventSchema, location="headers")
@blueprint.response(200, page_of(EventSchema))
def list_events(query: dict[str, Any], headers: dict[str, Any], job_id: UUID) -> Response | Page:
    """List a job's events or, to a client that accepts text/event-stream, stream them as they happen."""
    job = queries.find_job(db(), team_id(), job_id)
    after = query["after"] or headers["last_event_id"] or 0
    if request.accept_mimetypes.best_match(["application/json", events.MEDIA_TYPE]) == events.MEDIA_TYPE:
        return events.stream(job.id, after)
    return events.page(db(), job.id, after, min(query["limit"], MAX_LIMIT))


@blueprint.post("/jobs/<uuid:job_id>/cancel")
@blueprint.requires("run")
@blueprint.also(200, JobSchema, description="The job has ended")
@blueprint.response(202, JobSchema)
def cancel(job_id: UUID) -> Any:
    """Cancel a job; one that has ended stays as it is."""
    job = queries.find_job(db(), team_id(), job_id)
    queries.cancel(db(), job)
    return _describe(job), 200 if job.state in TERMINAL_STATES else 202


@blueprint.post("/jobs/<uuid:job_id>/retry")
@blueprint.requires("run")
@blueprint.response(202, JobSchema)
def retry(job_id: UUID) -> Any:
    """Try a failed, canceled or expired job again, from the shards that are missing."""
    job = queries.find_job(db(), team_id(), job_id)
    check_quotas(db(), team_id(), services().settings)
    queries.retry(db(), job)
    publish_shards(job)
    return _describe(job), 202, {"Location": f"/v1/jobs/{job.id}"} | RETRY_AFTER


@blueprint.get("/jobs/<uuid:job_id>/summary")
@blueprint.requires("read")
@blueprint.response(200)
def get_summary(job_id: UUID) -> Any:
    """Retrieve what a succeeded job found, in short."""
    return jsonify(queries.get_summary(db(), team_id(), job_id))
