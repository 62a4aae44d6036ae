"""The Celery application of the workers: configuration only."""

from celery.signals import setup_logging

from service import logs
from service.broker import make_celery
from service.settings import Settings

settings = Settings.from_environment()
celery = make_celery(settings)
celery.conf.include = ["workers.runner.tasks"]


@setup_logging.connect
def write_json(**_: object) -> None:
    """Let Celery's lines be JSON like ours, in the process that listens and in the one that computes."""
    logs.configure()
