"""Units and concepts as the wire has them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from service.results.queries import ConceptRow, FoundUnit, LabelRow
from service.results.search_queries import Match
from service.results.tables import Unit


def describe_match(match: Match) -> dict[str, Any]:
    """A unit and, where a concept was asked for, how well it fits that, for `UnitSchema`."""
    described = _describe(match.found)
    if match.concept is not None:
        iou = match.iou if measures_iou(match.found) else None
        described["match"] = {"category": match.concept.category, "concept": match.concept.name, "iou": iou}
    return described


def describe_detail(
    found: FoundUnit,
    unit: Unit,
    labels: Sequence[LabelRow],
    history: Sequence[FoundUnit],
    imported: Sequence[FoundUnit],
) -> dict[str, Any]:
    """All of a unit, for `UnitDetailSchema`."""
    return {
        **_describe(found),
        "active": unit.active,
        "peak": unit.peak,
        "labels": [_describe_label(found, label, unit.active) for label in labels],
        "histogram": _describe_histogram(unit.histogram),
        "top_images": unit.top_images,
        "history": [_describe_past(past) for past in history],
        "imported": [{"job": other.job_id, "label": _label(other)} for other in imported],
    }


def describe_concept(row: ConceptRow) -> dict[str, Any]:
    """A concept with its counts, for `ConceptSchema`."""
    search = urlencode({"concept": row.name, "category": row.category})
    return {**row._asdict(), "links": {"units": f"/v1/units?{search}"}}


def _describe(found: FoundUnit) -> dict[str, Any]:
    return {
        "model": found.model,
        "layer": found.layer,
        "unit": found.unit,
        "threshold": found.threshold,
        "label": _label(found),
        "links": _links(found),
    }


def measures_iou(found: FoundUnit) -> bool:
    """Whether the unit's label rests on an IoU; one that came with a similarity does not."""
    return found.similarity is None


def _describe_label(found: FoundUnit, label: LabelRow, active: int | None) -> dict[str, Any]:
    share = label.intersection / active if active else None
    counts = {} if measures_iou(found) else dict.fromkeys(("iou", "intersection", "union"))
    return {**label._asdict(), "activated_share": share, **counts}


def _describe_histogram(histogram: dict[str, Any] | None) -> dict[str, Any] | None:
    if histogram is None:
        return None
    return {"edges": histogram["edges"], "shown": histogram["with"], "hidden": histogram["without"]}


def _describe_past(past: FoundUnit) -> dict[str, Any]:
    return {"job": past.job_id, "current": past.current, "threshold": past.threshold, "label": _label(past)}


def _label(found: FoundUnit) -> dict[str, Any] | None:
    if found.concept is None:
        return None
    return {
        "category": found.category,
        "concept": found.concept,
        "iou": found.iou if measures_iou(found) else None,
        "detector": found.detector,
        "method": found.method,
        "similarity": found.similarity,
    }


def _links(found: FoundUnit) -> dict[str, str]:
    layer = f"/v1/models/{quote(found.model, safe='')}/layers/{quote(found.layer, safe='')}"
    pinned = "" if found.current else f"?job={found.job_id}"
    links = {
        "self": f"{layer}/units/{found.unit}{pinned}",
        "layer": f"/v1/units?{urlencode({'model': found.model, 'layer': found.layer})}",
        "job": f"/v1/jobs/{found.job_id}",
    }
    return links | {"picture": f"/v1/artifacts/{found.picture}"} if found.picture else links
