"""What a dissection found, as files to take away."""

from typing import Any
from uuid import UUID

from flask import Response

from service.api import Blueprint, check_version
from service.context import db, services, team_id
from service.jobs.queries import subject_names
from service.results.comparing.queries import find_dissection
from service.results.exporting import report
from service.results.exporting.formats import FORMATS
from service.results.exporting.queries import exported_layers
from service.results.exporting.rows import ROWS, Source
from service.results.exporting.schemas import HTML, ExportQuerySchema

BYTES = {"schema": {"type": "string", "format": "binary"}}
MEDIA_TYPES = [report.MEDIA_TYPE, *(format.media_type for format in FORMATS.values())]

blueprint = Blueprint("exporting", "What was found, as files to take away.")


@blueprint.get("/jobs/<uuid:job_id>/export")
@blueprint.requires("read")
@blueprint.describe(responses={200: {"content": dict.fromkeys(MEDIA_TYPES, BYTES)}})
@blueprint.arguments(ExportQuerySchema, location="query")
@blueprint.response(200, description="The file")
def export(query: dict[str, Any], job_id: UUID) -> Response:
    """Export all that a succeeded dissection found."""
    job = find_dissection(db(), team_id(), job_id)
    check_version(job.version)
    names = subject_names(db(), [job])
    assert job.model_id is not None
    layers = exported_layers(db(), job, query["layer"])
    source = Source(job, names[job.model_id], layers, services().sessions, services().store)
    if query["format"] == HTML:
        dataset = names[job.dataset_id] if job.dataset_id else None
        return _file(report.write(source, dataset), f"{job.id}.html", report.MEDIA_TYPE)
    rows, format = query["rows"] or "labels", FORMATS[query["format"]]
    return _file(format.write(ROWS[rows](source)), f"{job.id}-{rows}.{query['format']}", format.media_type)


def _file(pieces: Any, name: str, media_type: str) -> Response:
    disposition = f'attachment; filename="dissection-{name}"'
    return Response(pieces, mimetype=media_type, headers={"Content-Disposition": disposition})
