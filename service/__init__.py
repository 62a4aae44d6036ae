"""The HTTP API and the results database of Unit Atlas."""

from importlib import import_module
from importlib.util import find_spec

from typing import Any

from flask import Flask

from service import api, context, problems
from service.access import guard
from service.artifacts.store import ArtifactStore
from service.context import Services
from service.database import make_engine, make_sessions
from service.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The application for these settings, by default those of the environment."""
    settings = settings or Settings.from_environment()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    engine = make_engine(settings)
    sessions = make_sessions(engine)
    make_celery: Any = import_module("service.broker").make_celery if find_spec("service.broker") else lambda _: None
    made = Services(settings, engine, sessions, ArtifactStore(settings.artifact_dir), make_celery(settings))
    problems.init_app(app)
    context.init_app(app, made)
    guard.init_app(app)
    names = ["access", "artifacts", "catalog", "jobs", "results"]
    views = [f"service.{name}.views" for name in names if find_spec(f"service.{name}.views")]
    api.init_app(app, [import_module(name).blueprint for name in views])
    return app
