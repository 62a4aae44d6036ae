"""One painting from claim to end."""

import logging
import uuid

from service.artifacts.queries import record_artifacts
from service.errors import PaintingFailed, UnitAtlasError
from service.logs import logged_with
from service.painting import queries
from service.painting.tables import Painting
from workers.jobs.kind import JobView
from workers.painting.context import PaintingContext
from workers.painting.painting import Painted, paint
from workers.runner.executing import Process

MEDIA_TYPE = "image/png"

log = logging.getLogger(__name__)


def run_painting(process: Process, painting_id: uuid.UUID, owner: str) -> None:
    """Paint, unless the painting was taken by another worker, has ended or is too late."""
    with process.sessions.begin() as session:
        painting = queries.claim(session, painting_id, owner)
    if painting is None:
        log.info("painting %s is not waited for any more", painting_id)
        return
    with logged_with(painting_id=painting_id):
        _try(process, painting)


def _try(process: Process, painting: Painting) -> None:
    try:
        _store(process, painting, paint(_context(process, painting), painting.document))
    except UnitAtlasError as error:
        log.info("the painting failed: %s", error)
        _fail(process, painting, error)
    except Exception:
        log.exception("the painting failed unexpectedly")
        _fail(process, painting, PaintingFailed("the painting failed unexpectedly; the workers' log says how"))


def _context(process: Process, painting: Painting) -> PaintingContext:
    params = {"segmentation": painting.document["segmentation"], "halves": False}
    job = JobView(painting.id, painting.team_id, "painting", params, painting.model_id, None)
    return PaintingContext(job, process.settings, process.sessions, process.store)


def _store(process: Process, painting: Painting, painted: Painted) -> None:
    pictures = {"edited": painted.edited, "unedited": painted.unedited}
    digests = {name: process.store.put(png) for name, png in pictures.items()}
    artifacts = [(digests[name], len(png), MEDIA_TYPE) for name, png in pictures.items()]
    found = {"document": painted.document, "result": painted.result}
    with process.sessions.begin() as session:
        record_artifacts(session, painting.team_id, artifacts)
        queries.finish(session, painting.id, "succeeded", **found, **digests)


def _fail(process: Process, painting: Painting, error: UnitAtlasError) -> None:
    with process.sessions.begin() as session:
        queries.finish(session, painting.id, "failed", error=error.problem())
