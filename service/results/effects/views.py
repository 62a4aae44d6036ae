"""Explaining classes by units."""

from typing import Any

from service.api import Blueprint
from service.context import db, team_id
from service.results.effects.explaining_queries import explain
from service.results.effects.replies import describe_explanation
from service.results.effects.schemas import ExplanationQuerySchema, ExplanationSchema

blueprint = Blueprint("effects", "What units are for: the classes that they tell apart.")


@blueprint.get("/classes/<path:name>/explanation")
@blueprint.requires("read")
@blueprint.arguments(ExplanationQuerySchema, location="query")
@blueprint.response(200, ExplanationSchema)
def explain_class(query: dict[str, Any], name: str) -> dict[str, Any]:
    """Explain a class: its most important units, what they detect, and what removing them does."""
    return describe_explanation(explain(db(), team_id(), name, query))
