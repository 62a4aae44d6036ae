"""All tables in one import, for migrations and for tests that create a schema."""

from service.access import tables as access
from service.annotations import tables as annotations
from service.artifacts import tables as artifacts
from service.catalog import tables as catalog
from service.collections import tables as collections
from service.database import Table
from service.health import tables as health
from service.jobs import tables as jobs
from service.painting import tables as painting
from service.quotas import tables as quotas
from service.results import tables as results
from service.results.attacks import tables as attacks
from service.results.effects import tables as effects
from service.results.interventions import tables as interventions
from service.sharing import tables as sharing
from service.webhooks import tables as webhooks

__all__ = [
    "Table",
    "access",
    "annotations",
    "artifacts",
    "attacks",
    "catalog",
    "collections",
    "effects",
    "health",
    "interventions",
    "jobs",
    "painting",
    "quotas",
    "results",
    "sharing",
    "webhooks",
]
