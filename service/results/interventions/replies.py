"""What interventions did, as the wire has it."""

from typing import Any
from urllib.parse import urlencode

from service.results.interventions.search_queries import ChangeRow

_FIGURES = ("order", "size", "pictures", "pixels_before", "pixels_after", "change", "change_low", "change_high")


def describe_change(found: ChangeRow) -> dict[str, Any]:
    """What a set of units did to a concept, for `PixelChangeSchema`."""
    place, row = found.place, found.row
    search = urlencode({"model": place.model, "layer": place.layer, "concept": found.concept})
    return {
        "model": place.model,
        "layer": place.layer,
        "job": place.row.job_id,
        "action": place.row.action,
        "where": place.row.extent,
        "target": place.target and dict(zip(("category", "concept"), place.target, strict=True)),
        "category": found.category,
        "concept": found.concept,
        **{name: getattr(row, name) for name in _FIGURES},
        "random": _describe_random(found),
        "links": {"job": f"/v1/jobs/{place.row.job_id}", "units": f"/v1/units?{search}"},
    }


def _describe_random(found: ChangeRow) -> dict[str, float | None] | None:
    row = found.row
    if row.random_change is None:
        return None
    return {"change": row.random_change, "change_low": row.random_low, "change_high": row.random_high}
