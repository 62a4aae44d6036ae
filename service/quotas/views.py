"""What the team uses, and what it may use."""

from typing import Any

from service.api import Blueprint
from service.context import db, services, team_id
from service.quotas import queries
from service.quotas.schemas import QuotasSchema

blueprint = Blueprint("quotas", "What the team uses, and what it may use.")


@blueprint.get("/quotas")
@blueprint.requires("read")
@blueprint.response(200, QuotasSchema)
def get_quotas() -> dict[str, Any]:
    """Tell what the team uses of its quotas; beyond one of them nothing is started or stored."""
    settings = services().settings
    allowed = queries.get_allowed(db(), team_id(), settings)
    used = queries.get_used(db(), team_id(), settings.quota_period_seconds)
    told = {name: {"used": used[i], "allowed": allowed[i] or None} for i, name in enumerate(allowed._fields)}
    told["worker_seconds"]["period_seconds"] = settings.quota_period_seconds
    return told
