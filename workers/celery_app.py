"""The Celery application of the workers: configuration only."""

from service.broker import make_celery
from service.settings import Settings

settings = Settings.from_environment()
celery = make_celery(settings)
celery.conf.include = ["workers.runner.tasks"]
