"""What must be there for a job to run: database, migrations, broker, a worker."""

from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from service.broker import count_hints
from service.context import Services
from service.database import reading
from service.health.queries import is_migrated
from service.jobs.queries import count_workers


def find_faults(services: Services) -> dict[str, str]:
    """What is missing, by the part that misses it; empty when a job could run now."""
    return {**_database_faults(services), **_broker_faults(services)}


def _database_faults(services: Services) -> dict[str, str]:
    try:
        with reading(services.sessions) as session:
            if not is_migrated(session):
                return {"migrations": "the database is not at this version; run `python -m service migrate`"}
            if not count_workers(session):
                return {"workers": "no worker was seen lately; start one with `python -m workers run`"}
    except SQLAlchemyError as error:
        return {"database": f"the database does not answer ({type(error).__name__})"}
    return {}


def _broker_faults(services: Services) -> dict[str, str]:
    try:
        count_hints(services.celery)
    except (OperationalError, OSError) as error:
        return {"broker": f"the broker does not answer ({type(error).__name__})"}
    return {}
