"""Units and concepts as the wire has them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from service.catalog.tables import Concept
from service.results.interventions.queries import Measured
from service.results.queries import Dissected, FoundUnit, LabelRow, Named
from service.results.search_queries import ConceptRow, Match


def describe_match(match: Match) -> dict[str, Any]:
    """A unit and, where a concept was asked for, how well it fits that and what it does to it, for `UnitSchema`."""
    measured = {} if match.measured is None else {"measured": describe_measured(match.measured)}
    return describe_unit(match.found, match.found) | describe_fit(match.found, match.concept, match.iou) | measured


def describe_fit(found: FoundUnit | None, concept: Concept | None, iou: float | None) -> dict[str, Any]:
    """How well a unit fits the concept that was asked for; nothing where none was."""
    if found is None or concept is None:
        return {}
    fit = iou if measures_iou(found) else None
    return {"match": {"category": concept.category, "concept": concept.name, "iou": fit}}


def describe_detail(named: Named, dissected: Dissected | None, imported: Sequence[FoundUnit]) -> dict[str, Any]:
    """All that dissections found of a unit, or that none did, for `UnitDetailSchema`."""
    others = [{"job": other.job_id, "label": describe_label(other)} for other in imported]
    if dissected is None:
        missing = dict.fromkeys(("active", "peak", "histogram"))
        return {
            **describe_unit(named, None),
            **missing,
            "labels": [],
            "top_images": [],
            "history": [],
            "imported": others,
        }
    found, row, labels, history = dissected
    return {
        **describe_unit(named, found),
        "active": row.active,
        "peak": row.peak,
        "labels": [_describe_label(found, label, row.active) for label in labels],
        "histogram": _describe_histogram(row.histogram),
        "top_images": row.top_images,
        "history": [_describe_past(past) for past in history],
        "imported": others,
    }


def describe_measured(measured: Measured) -> dict[str, Any]:
    """What removing a unit did to the concept that was asked for, for `MeasuredSchema`."""
    return {**measured._asdict(), "intervention": measured.job_id}


def describe_concept(row: ConceptRow) -> dict[str, Any]:
    """A concept with its counts, for `ConceptSchema`."""
    search = urlencode({"concept": row.name, "category": row.category})
    return {**row._asdict(), "links": {"units": f"/v1/units?{search}"}}


def describe_unit(named: Named, found: FoundUnit | None) -> dict[str, Any]:
    """A unit with its label, for `UnitSchema`; of one that no dissection found, its names."""
    return {
        "model": named.model,
        "layer": named.layer,
        "unit": named.unit,
        "threshold": found and found.threshold,
        "label": found and describe_label(found),
        "links": _links(named, found),
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
    return {"job": past.job_id, "current": past.current, "threshold": past.threshold, "label": describe_label(past)}


def describe_label(found: FoundUnit) -> dict[str, Any] | None:
    """A unit's best concept, for `FoundLabelSchema`."""
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


def unit_address(named: Named, pinned: UUID | None = None) -> str:
    """Where a unit is described, as the job saw it that is pinned."""
    layer = f"/v1/models/{quote(named.model, safe='')}/layers/{quote(named.layer, safe='')}"
    return f"{layer}/units/{named.unit}" + ("" if pinned is None else f"?job={pinned}")


def _links(named: Named, found: FoundUnit | None) -> dict[str, str]:
    links = {
        "self": unit_address(named, None if found is None or found.current else found.job_id),
        "layer": f"/v1/units?{urlencode({'model': named.model, 'layer': named.layer})}",
    }
    if found is None:
        return links
    links["job"] = f"/v1/jobs/{found.job_id}"
    return links | {"picture": f"/v1/artifacts/{found.picture}"} if found.picture else links
