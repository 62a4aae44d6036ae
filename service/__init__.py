"""The HTTP API and the results database of Unit Atlas."""

from flask import Flask

from service import api, context, document, logs, problems, request_log, security
from service.access import guard
from service.api import Blueprint
from service.artifacts.store import ArtifactStore
from service.broker import make_celery
from service.context import Services
from service.database import make_engine, make_sessions
from service.explorer import pages
from service.health import metrics
from service.settings import Settings
from service.sharing import addresses


def create_app(settings: Settings | None = None) -> Flask:
    """The application for these settings, by default those of the environment."""
    logs.configure()
    settings = settings or Settings.from_environment()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    # What is first here sees a request first and its reply last.
    request_log.init_app(app)
    metrics.init_app(app)
    security.init_app(app)
    context.init_app(app, make_services(settings))
    guard.init_app(app)
    addresses.init_app(app)
    api.init_app(app)
    problems.init_app(app)
    pages.init_app(app)
    document.init_app(app, _blueprints())
    return app


def _blueprints() -> list[Blueprint]:
    from service.access.views import blueprint as access
    from service.annotations.views import blueprint as annotations
    from service.artifacts.views import blueprint as artifacts
    from service.catalog.views import blueprint as catalog
    from service.collections.views import blueprint as collections
    from service.health.views import blueprint as health
    from service.jobs.views import blueprint as jobs
    from service.painting.views import blueprint as paintings
    from service.quotas.views import blueprint as quotas
    from service.results.attacks.views import blueprint as attacks
    from service.results.comparing.views import blueprint as comparing
    from service.results.effects.views import blueprint as effects
    from service.results.exporting.views import blueprint as exporting
    from service.results.interventions.views import blueprint as interventions
    from service.results.views import blueprint as results
    from service.sharing.views import blueprint as sharing
    from service.webhooks.views import blueprint as webhooks

    return [
        catalog,
        jobs,
        results,
        effects,
        attacks,
        interventions,
        comparing,
        exporting,
        paintings,
        annotations,
        collections,
        sharing,
        webhooks,
        artifacts,
        access,
        quotas,
        health,
    ]


def make_services(settings: Settings) -> Services:
    """What one process makes once for these settings."""
    engine = make_engine(settings)
    store = ArtifactStore(settings.artifact_dir)
    return Services(settings, engine, make_sessions(engine), store, make_celery(settings))
