"""Which units an intervention changes: those that are listed, or the best of a concept in each layer."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Concept, Layer
from service.errors import Invalid
from service.painting.queries import DissectedLayer, best_units, concept_names, find_concepts, find_dissection
from service.results.interventions.tables import BY_IOU, GIVEN


@dataclass(frozen=True)
class ChangedUnits:
    """The units of each layer, in their order, and by what they were chosen."""

    order: str
    concept: Mapping[str, str | None] | None
    units: Mapping[str, list[int]]
    most: Mapping[str, int]
    """How many units a set has at most; there may be more candidates."""
    dissections: Mapping[str, DissectedLayer | None]

    @property
    def selecting(self) -> dict[str, Mapping[str, Any]]:
        """By dissection the latents that it looked at."""
        return {str(found.job_id): found.params["latents"] for found in self.dissections.values() if found is not None}

    @property
    def segmentation(self) -> Mapping[str, Any] | None:
        """By what the dissection segmented its pictures; None without one."""
        found = next(iter(self.dissections.values()))
        return found and {name: found.params[name] for name in ("segmentation", "halves")}


def choose_units(
    session: Session, team_id: uuid.UUID, layers: Sequence[Layer], params: Mapping[str, Any]
) -> ChangedUnits:
    """Find the units; raise Invalid that points at what is not there."""
    wanted = params["units"]
    if isinstance(wanted, list):
        return _listed(layers, wanted)
    concept = _find_concept(session, team_id, **wanted["concept"])
    dissections = {layer.name: _find_dissection(session, layer, wanted["job"]) for layer in layers}
    candidates = max(wanted["top"], (params["ranking"] or {}).get("candidates") or 0)
    units = {name: best_units(session, found.id, concept.id, candidates) for name, found in dissections.items()}
    for name, found in units.items():
        if not found:
            raise Invalid(f"no unit of layer {name!r} fits {concept.name!r} at all", "/units/concept")
    most = {name: min(wanted["top"], len(found)) for name, found in units.items()}
    return ChangedUnits(BY_IOU, {"category": concept.category, "name": concept.name}, units, most, dissections)


def _listed(layers: Sequence[Layer], units: list[int]) -> ChangedUnits:
    if len(layers) > 1:
        raise Invalid("units are listed of one layer; name a concept, whose best are taken in each", "/units")
    [layer] = layers
    for place, unit in enumerate(units):
        if unit >= layer.units:
            problem = f"layer {layer.name!r} has units 0 to {layer.units - 1}, and no unit {unit}"
            raise Invalid(problem, f"/units/{place}")
    return ChangedUnits(GIVEN, None, {layer.name: units}, {layer.name: len(units)}, {layer.name: None})


def _find_concept(session: Session, team_id: uuid.UUID, category: str | None, name: str) -> Concept:
    found = find_concepts(session, team_id, name, category)
    if not found:
        within = "" if category is None else f" in the category {category!r}"
        near = catalog.near(name, concept_names(session, team_id))
        raise Invalid(f"no concept is named {name!r}{within}{near}", "/units/concept")
    if len(found) > 1:
        categories = ", ".join(concept.category for concept in found)
        raise Invalid(f"{name!r} is a concept of several categories, {categories}; name one", "/units/concept")
    return found[0]


def _find_dissection(session: Session, layer: Layer, job_id: uuid.UUID | None) -> DissectedLayer:
    found = find_dissection(session, layer, job_id)
    if found is None:
        who = "no dissection" if job_id is None else f"no job {job_id}"
        raise Invalid(f"{who} has looked at layer {layer.name!r}, whose best units are asked for", "/units/job")
    return found
