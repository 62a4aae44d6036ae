"""Is the process alive, could a job run, and how busy is it."""

from flask import Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.api import Blueprint
from service.context import services
from service.errors import Unavailable
from service.health.checks import find_faults
from service.health.schemas import HealthSchema

blueprint = Blueprint("health", "For those who run the service.", prefix="")


@blueprint.get("/healthz")
@blueprint.requires(None)
@blueprint.response(200, HealthSchema)
def healthz() -> dict[str, str]:
    """Tell whether the process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.requires(None)
@blueprint.also(503, description="What is missing")
@blueprint.response(200, HealthSchema)
def readyz() -> dict[str, str]:
    """Tell whether a job could run now: database, migrations, broker and a worker are there."""
    if faults := find_faults(services()):
        errors = [{"pointer": part, "detail": fault} for part, fault in faults.items()]
        raise Unavailable("; ".join(faults.values()), errors=errors)
    return {"status": "ready"}


@blueprint.get("/metrics")
@blueprint.requires(None)
@blueprint.response(200, content_type="text/plain", description="Prometheus text format")
def metrics() -> Response:
    """Tell Prometheus about requests, jobs and workers."""
    return Response(generate_latest(current_app.extensions["unitatlas-metrics"]), content_type=CONTENT_TYPE_LATEST)
