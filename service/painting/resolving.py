"""From a request for a painting to the document that says everything: which units, drawn as what, where."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Concept, Layer, Model
from service.errors import Invalid
from service.jobs.checks import find_layer
from service.jobs.segmentation import COLORS, MASKS, check_segmentation
from service.painting import queries
from service.painting.queries import DissectedLayer
from service.painting.schemas import DRAW, TOP

DRAWN_QUANTILE = 0.01
"""A unit is drawn as the level that this share of its activations exceeds (Bau et al., PNAS 2020)."""
MAX_DRAWN = 2**26
"""Values of a seed up to the end of a latent: all of them are drawn for it, and more would outlast the deadline."""


@dataclass(frozen=True)
class Resolved:
    """A painting's document, and why its strokes may do less than was hoped for."""

    document: dict[str, Any]
    warnings: list[str]


class Resolver:
    """Reads the strokes of a request against the layer of a generator; raises Invalid that points at what is wrong."""

    def __init__(self, session: Session, team_id: uuid.UUID, model: Model, wanted: Mapping[str, Any]) -> None:
        if model.kind != "generator":
            raise Invalid(f"{model.name!r} is a {model.kind}; pictures are painted by a generator", "path:name")
        self.session, self.team_id, self.model, self.wanted = session, team_id, model, wanted
        self.layer = find_layer(session, model, wanted["layer"], "/layer")
        self.dissection = _find_dissection(session, self.layer, wanted["dissection"])
        self.warnings: list[str] = []

    def resolve(self) -> Resolved:
        """Spell the request out."""
        _check_latent(self.wanted["latent"], self.model.input["latent"])
        segmentation = self.wanted["segmentation"] or self._natural_segmentation()
        check_segmentation(self.session, self.team_id, None, {"segmentation": segmentation, "halves": False})
        document = {
            "latent": self.wanted["latent"],
            "layer": self.layer.name,
            "strokes": [self._stroke(stroke, f"/strokes/{i}") for i, stroke in enumerate(self.wanted["strokes"])],
            "segmentation": segmentation,
            "dissection": None if self.dissection is None else str(self.dissection.job_id),
        }
        return Resolved(document, self.warnings)

    def _natural_segmentation(self) -> list[str]:
        kinds = [] if self.dissection is None else self.dissection.params["segmentation"]
        return [kind for kind in kinds if kind != MASKS] or [COLORS]

    def _stroke(self, stroke: Mapping[str, Any], pointer: str) -> dict[str, Any]:
        concept = None if stroke["concept"] is None else self._concept(stroke["concept"], f"{pointer}/concept")
        units = stroke["units"] if "units" in stroke else self._best_units(concept, stroke.get("top", TOP), pointer)
        _check_units(units, self.layer, f"{pointer}/units")
        self._judge(concept, units, pointer)
        mask = stroke["mask"].scaled(*self.model.input["size"])
        if not any(mask.runs[1::2]):
            self.warnings.append(f"{pointer}: its mask touches nothing, so that it changes nothing")
        return {
            "concept": concept and {"category": concept.category, "name": concept.name},
            "units": units,
            "values": stroke.get("values") or self._values(stroke["action"], units),
            "action": stroke["action"],
            "mask": mask.to_json(),
            "strength": stroke["strength"],
        }

    def _concept(self, named: Mapping[str, str | None], pointer: str) -> Concept:
        found = queries.find_concepts(self.session, self.team_id, str(named["name"]), named["category"])
        if not found:
            name, names = str(named["name"]), queries.concept_names(self.session, self.team_id)
            within = "" if named["category"] is None else f" of category {named['category']!r}"
            raise Invalid(f"no concept{within} is named {name!r} here{near(name, names)}", pointer)
        known = [concept for concept in found if self._fits(concept)] or found[:1]
        if len(known) > 1:
            categories = ", ".join(concept.category for concept in known)
            raise Invalid(f"{named['name']!r} is there as {categories}; name its category, too", pointer)
        return known[0]

    def _fits(self, concept: Concept) -> bool:
        """Whether any unit of the layer is known to fit the concept."""
        return self.dissection is not None and bool(
            queries.best_units(self.session, self.dissection.id, concept.id, top=1)
        )

    def _best_units(self, concept: Concept | None, top: int, pointer: str) -> list[int]:
        assert concept is not None  # the request names one or the other
        if self.dissection is None:
            detail = f"layer {self.layer.name!r} of {self.model.name!r} was not dissected; dissect it, or name units"
            raise Invalid(detail, f"{pointer}/concept")
        return queries.best_units(self.session, self.dissection.id, concept.id, top)

    def _judge(self, concept: Concept | None, units: Sequence[int], pointer: str) -> None:
        if not units:
            what = "it names no units" if concept is None else f"no unit is known to fit {_named(concept)}"
            self.warnings.append(f"{pointer}: {what}, so that it changes nothing")
        elif concept is not None and self.dissection is not None:
            cutoff = self.dissection.params["cutoff"]
            best = queries.best_iou(self.session, self.dissection.id, concept.id, units)
            if best <= cutoff:
                self.warnings.append(
                    f"{pointer}: none of its units detects {_named(concept)}: the best IoU is {best:.4f}, "
                    f"the cut-off {cutoff}; what it draws or erases may be something else"
                )

    def _values(self, action: str, units: Sequence[int]) -> list[float] | None:
        """The units' thresholds where these are the quantile that is drawn; None leaves it to the worker."""
        if action != DRAW or self.dissection is None or self.dissection.params["quantile"] != DRAWN_QUANTILE:
            return None
        return queries.thresholds(self.session, self.dissection.id, units)


def _named(concept: Concept) -> str:
    return f"the {concept.category} {concept.name!r}"


def _find_dissection(session: Session, layer: Layer, job_id: uuid.UUID | None) -> DissectedLayer | None:
    found = queries.find_dissection(session, layer, job_id)
    if found is None and job_id is not None:
        detail = f"no dissection {job_id} of layer {layer.name!r} is here; GET /v1/jobs?kind=dissection lists them"
        raise Invalid(detail, "/dissection")
    return found


def _check_latent(latent: Mapping[str, Any], shape: Sequence[int]) -> None:
    length = math.prod(shape)
    if "vector" in latent and len(latent["vector"]) != length:
        raise Invalid(f"{len(latent['vector'])} numbers are given; a latent has {length}", "/latent/vector")
    if "index" in latent and latent["index"] >= MAX_DRAWN // length:
        raise Invalid(f"latents of {length} numbers go from 0 to {MAX_DRAWN // length - 1}", "/latent/index")


def _check_units(units: Sequence[int], layer: Layer, pointer: str) -> None:
    errors = [
        {"pointer": f"{pointer}/{i}", "detail": f"layer {layer.name!r} has units 0 to {layer.units - 1}, no {unit}"}
        for i, unit in enumerate(units)
        if unit >= layer.units
    ]
    if errors:
        raise Invalid("; ".join(error["detail"] for error in errors), errors=errors)
