"""From a request for an import to one that can be done: the file is here, and the layer that it is about."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.artifacts.queries import hold_artifact
from service.catalog.queries import layer_ids, near
from service.catalog.tables import Model
from service.errors import Invalid
from service.jobs.checks import find_model, make_request
from service.jobs.estimates import Estimate
from service.jobs.submission import JobRequest

MAX_FILE_BYTES = 64 * 2**20
"""More than any layer's results take; a worker reads the file as a whole."""
NAMES_LAYERS = "clip-dissect"
"""The format whose rows say which layer they are about."""


@dataclass(frozen=True)
class CheckedImport:
    """An import that can be done."""

    request: JobRequest

    def estimate(self, session: Session, workers: int) -> Estimate:
        """Reckon what it takes: one shard that reads one file."""
        return Estimate(
            shards=1,
            forward_passes=0,
            scratch_bytes=0,
            artifact_bytes=0,
            seconds=0.0 if workers else None,
            workers=workers,
        )


def check_import(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any], available_bytes: int
) -> CheckedImport:
    """Check an import against the team's catalog and artifacts; raise Invalid that points at the fault."""
    params = wanted["params"]
    model = find_model(session, team_id, wanted["model"])
    _check_layer(session, model, params["format"], params["layer"])
    _check_file(session, team_id, params["artifact"])
    inputs = {"model": model.digest, "artifact": params["artifact"]}
    return CheckedImport(make_request(team_id, wanted, params, inputs, model))


def _check_layer(session: Session, model: Model, format: str, name: str | None) -> None:
    if format == NAMES_LAYERS:
        if name is not None:
            raise Invalid(f"the rows of a {format} file say which layer they are about; leave it out", "/layer")
        return
    known = layer_ids(session, model.id)
    if name is None:
        raise Invalid(f"a {format} file does not say which layer of {model.name!r} it is about; name it", "/layer")
    if name not in known:
        raise Invalid(f"{model.name!r} has no layer {name!r} with a map of units{near(name, known)}", "/layer")


def _check_file(session: Session, team_id: uuid.UUID, digest: str) -> None:
    artifact = hold_artifact(session, team_id, digest)
    if artifact is None:
        raise Invalid(f"the team has no artifact {digest}; upload the file first, by PUT /v1/artifacts", "/artifact")
    if artifact.size > MAX_FILE_BYTES:
        raise Invalid(f"the file has {artifact.size} bytes; at most {MAX_FILE_BYTES} are read", "/artifact")
