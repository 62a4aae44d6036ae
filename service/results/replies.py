"""Units and concepts as the wire has them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from service.catalog.tables import Concept
from service.results.queries import ConceptRow, FoundUnit, HistoryRow, LabelRow
from service.results.search_queries import Match


def describe_unit(found: FoundUnit) -> dict[str, Any]:
    """A unit with its label, for `UnitSchema`."""
    unit = found.unit
    return {
        "model": found.model,
        "layer": found.layer,
        "unit": unit.index,
        "threshold": unit.threshold,
        "label": _label(found.label, unit.iou, unit.detector),
        "links": _links(found),
    }


def describe_match(match: Match) -> dict[str, Any]:
    """A unit and, where a concept was asked for, how well it fits that."""
    described = describe_unit(match.found)
    if match.concept is not None:
        described["match"] = {"category": match.concept.category, "concept": match.concept.name, "iou": match.iou}
    return described


def describe_detail(found: FoundUnit, labels: Sequence[LabelRow], history: Sequence[HistoryRow]) -> dict[str, Any]:
    """All of a unit, for `UnitDetailSchema`."""
    unit = found.unit
    return {
        **describe_unit(found),
        "active": unit.active,
        "peak": unit.peak,
        "labels": [label._asdict() for label in labels],
        "top_images": unit.top_images,
        "history": [_describe_history(row) for row in history],
    }


def describe_concept(row: ConceptRow) -> dict[str, Any]:
    """A concept with its counts, for `ConceptSchema`."""
    search = urlencode({"concept": row.name, "category": row.category})
    return {**row._asdict(), "links": {"units": f"/v1/units?{search}"}}


def _describe_history(row: HistoryRow) -> dict[str, Any]:
    return {
        "job": row.job.id,
        "finished_at": row.job.finished_at,
        "current": row.unit.current,
        "threshold": row.unit.threshold,
        "label": _label(row.label, row.unit.iou, row.unit.detector),
    }


def _label(concept: Concept | None, iou: float, detector: bool) -> dict[str, Any] | None:
    if concept is None:
        return None
    return {"category": concept.category, "concept": concept.name, "iou": iou, "detector": detector}


def _links(found: FoundUnit) -> dict[str, str]:
    model, layer = quote(found.model, safe=""), quote(found.layer, safe="")
    query = urlencode({"model": found.model, "layer": found.layer})
    links = {
        "self": f"/v1/models/{model}/layers/{layer}/units/{found.unit.index}",
        "layer": f"/v1/units?{query}",
        "job": f"/v1/jobs/{found.job_id}",
    }
    if not found.unit.current:
        links["self"] += f"?job={found.job_id}"
    if found.unit.picture:
        links["picture"] = f"/v1/artifacts/{found.unit.picture}"
    return links
