"""What a job found, as files to take away."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response

from service.api import Blueprint, check_version
from service.context import db, services, team_id
from service.errors import Invalid
from service.jobs.queries import subject_names
from service.jobs.tables import Job
from service.results.exporting import page
from service.results.exporting.formats import FORMATS
from service.results.exporting.kinds import KINDS
from service.results.exporting.queries import find_exported
from service.results.exporting.rows import Subject
from service.results.exporting.schemas import HTML, SAFETENSORS, ExportQuerySchema

BYTES = {"schema": {"type": "string", "format": "binary"}}
WEIGHTS_TYPE = "application/octet-stream"
MEDIA_TYPES = [page.MEDIA_TYPE, WEIGHTS_TYPE, *(format.media_type for format in FORMATS.values())]

blueprint = Blueprint("exporting", "What was found, as files to take away.")


@blueprint.get("/jobs/<uuid:job_id>/export")
@blueprint.requires("read")
@blueprint.describe(responses={200: {"content": dict.fromkeys(MEDIA_TYPES, BYTES)}})
@blueprint.arguments(ExportQuerySchema, location="query")
@blueprint.response(200, description="The file")
def export(query: dict[str, Any], job_id: UUID) -> Response:
    """Export all that a succeeded job found, or a network without some of its units."""
    job = find_exported(db(), team_id(), job_id)
    check_version(job.version)
    kind, format = KINDS[job.kind], query["format"]
    found = kind.open(db(), _subject(job), query["layer"])
    if format == SAFETENSORS:
        return _weights(job, found, query["class_name"], query["n"])
    if format == HTML:
        return _file(job, kind.report(found), f"{job.id}.html", page.MEDIA_TYPE)
    rows = kind.choose_rows(query["rows"])
    pieces = FORMATS[format].write(kind.rows[rows](found))
    return _file(job, pieces, f"{job.id}-{rows}.{format}", FORMATS[format].media_type)


def _subject(job: Job) -> Subject:
    names = subject_names(db(), [job])
    assert job.model_id is not None
    dataset = names[job.dataset_id] if job.dataset_id else None
    return Subject(job, names[job.model_id], dataset, services().sessions, services().store)


def _weights(job: Job, found: Any, class_name: str, count: int) -> Response:
    prune = KINDS[job.kind].prune
    if prune is None:
        raise Invalid(f"a job of kind {job.kind} removed no units from the network; ablations do", "query:format")
    pruned = prune(db(), found, class_name, count)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", class_name)
    reply = _file(job, pruned.read(), f"{job.id}-{safe}-{count}.safetensors", WEIGHTS_TYPE)
    reply.content_length = pruned.size
    return reply


def _file(job: Job, pieces: Iterator[bytes], name: str, media_type: str) -> Response:
    disposition = f'attachment; filename="{job.kind}-{name}"'
    return Response(pieces, mimetype=media_type, headers={"Content-Disposition": disposition})
