"""Upload and download of artifacts."""

import re
from typing import Any

import flask
from flask import Response, request

from service.api import Blueprint
from service.artifacts import queries
from service.artifacts.schemas import ArtifactSchema, UnfinishedSchema
from service.artifacts.tables import Artifact
from service.artifacts.uploads import Upload, parse_span
from service.context import db, services, team_id
from service.database import reading
from service.errors import Invalid, UnfinishedUpload
from service.quotas.queries import check_storage

INLINE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""What a browser may show; anything else might act as a page of this site."""

BYTES = {"schema": {"type": "string", "format": "binary"}}
DIGEST_PARAMETER = {
    "in": "path",
    "name": "digest",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "description": "The sha256 of the bytes, in lower-case hexadecimal digits.",
}
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,63}/[\w.+-]{1,63}", re.ASCII)

blueprint = Blueprint("artifacts", "Immutable bytes named by their sha256.")


@blueprint.route("/artifacts/<digest>", methods=("PUT",), parameters=[DIGEST_PARAMETER])
@blueprint.requires("write")
@blueprint.describe(requestBody={"required": True, "content": {"application/octet-stream": BYTES}})
@blueprint.also(200, ArtifactSchema, description="The team had it already")
@blueprint.also(202, UnfinishedSchema, description="More is to come")
@blueprint.response(201, ArtifactSchema)
def put_artifact(digest: str) -> Any:
    """Upload an artifact, whole or by a Content-Range that goes on where the last one ended."""
    if (known := _find(digest)) is not None:
        return known, 200
    media_type, limit = _media_type(), services().settings.max_artifact_bytes
    request.max_content_length = limit
    upload = Upload(services().store, team_id(), digest)
    span = parse_span(request.headers.get("Content-Range"), limit)
    _check_room(span.total if span else request.content_length or 0)
    size = upload.receive(request.stream, span, request.content_length)
    if size is None:
        return flask.jsonify(digest=digest, offset=upload.offset), 202
    check_storage(db(), team_id(), size, services().settings)
    queries.record_artifacts(db(), team_id(), [(digest, size, media_type)])
    return queries.get_artifact(db(), team_id(), digest)


@blueprint.route("/artifacts/<digest>", methods=("GET", "HEAD"), parameters=[DIGEST_PARAMETER])
@blueprint.requires("read")
@blueprint.also(206, description="The range that was asked for", content_type="application/octet-stream")
@blueprint.response(200, content_type="application/octet-stream", description="The bytes")
def get_artifact(digest: str) -> Response:
    """Download an artifact; HEAD of one whose upload broke off tells in Upload-Offset where to go on."""
    artifact = queries.find_artifact(db(), team_id(), digest)
    if artifact is None:
        raise UnfinishedUpload(digest, Upload(services().store, team_id(), digest).offset)
    return _send(artifact)


def _find(digest: str) -> Artifact | None:
    """The artifact if the team has it, kept as if it had just been stored; None also where its file is lost."""
    # the upload may take an hour: no transaction stays open meanwhile
    with services().sessions.begin() as session:
        if (artifact := queries.hold_artifact(session, team_id(), digest)) is not None:
            queries.touch_named(session, digest)
    return artifact if artifact is not None and services().store.exists(digest) else None


def _check_room(size: int) -> None:
    # before the bytes come, and once more, for certain, when they are here
    with reading(services().sessions) as session:
        check_storage(session, team_id(), size, services().settings)


def _media_type() -> str:
    media_type = request.mimetype or "application/octet-stream"
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise Invalid(f"{media_type!r} is no media type; image/png is one", "header:Content-Type")
    return media_type


def _send(artifact: Artifact) -> Response:
    reply = flask.send_file(
        services().store.path(artifact.digest),
        mimetype=artifact.media_type,
        as_attachment=artifact.media_type not in INLINE_TYPES,
        download_name=artifact.digest,
        etag=artifact.digest,
        max_age=365 * 24 * 3600,
    )
    reply.cache_control.public, reply.cache_control.private = False, True
    reply.cache_control.immutable = True
    return reply
