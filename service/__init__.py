"""The HTTP API and the results database of Unit Atlas."""

from importlib import import_module
from importlib.util import find_spec

from flask import Flask

from service import api, context, document, logs, problems, security
from service.access import guard
from service.artifacts.store import ArtifactStore
from service.broker import make_celery
from service.context import Services
from service.database import make_engine, make_sessions
from service.health import metrics
from service.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The application for these settings, by default those of the environment."""
    settings = settings or Settings.from_environment()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    services = _make_services(settings)
    # What is first here sees a request first and its reply last.
    logs.init_app(app)
    metrics.init_app(app, services)
    security.init_app(app)
    context.init_app(app, services)
    guard.init_app(app)
    api.init_app(app)
    problems.init_app(app)
    names = ["access", "artifacts", "catalog", "health", "jobs", "results"]
    views = [f"service.{name}.views" for name in names if find_spec(f"service.{name}.views")]
    document.init_app(app, [import_module(name).blueprint for name in views])
    return app


def _make_services(settings: Settings) -> Services:
    engine = make_engine(settings)
    store = ArtifactStore(settings.artifact_dir)
    return Services(settings, engine, make_sessions(engine), store, make_celery(settings))
