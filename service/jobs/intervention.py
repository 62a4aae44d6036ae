"""From a request for an intervention to one that can be done, and what it costs."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Layer, Model
from service.errors import Invalid
from service.jobs.changed_units import ChangedUnits, choose_units
from service.jobs.checks import find_layer, find_model, make_request
from service.jobs.cost_queries import seconds_per_edit
from service.jobs.estimates import Estimate
from service.jobs.latents import overlap, tell
from service.jobs.segmentation import COLORS, CheckedSegmentation, check_segmentation
from service.jobs.submission import JobRequest
from service.painting.masks import Mask
from service.results.interventions.tables import EACH_CELL, INSERT, MASK, REMOVE

SIZES = (1, 2, 5, 10, 20, 30)
"""Of the sets of units that are changed, unless told."""
DRAWS = 5
QUANTILE = {"quantile": 0.995}
MAX_GRID, MIN_GRID = 256, 4
LATENTS_IN_SHARD = 64
EDITS_IN_SHARD = 2**12
"""Latents times edits in a shard, unless those of one batch are more."""
LEAST_IN_SHARD = 8
BATCHING = 2.0
"""How much faster a latent passes among many than it did alone."""
POOLED_FEATURES = 192
PICTURE_BYTES = 2
"""Of a pixel of a picture that is kept, as PNG."""


@dataclass(frozen=True)
class CheckedIntervention:
    """An intervention that can be done: what is to be submitted, and what its cost follows from."""

    request: JobRequest
    model: Model
    layers: Sequence[Layer]
    concepts: int
    segmenter_seconds: float
    features: int

    def estimate(self, session: Session, workers: int) -> Estimate:
        """Reckon what it takes, from what the model's jobs took so far."""
        known = seconds_per_edit(session, self.request.team_id, self.model.id)
        one = known or self.model.forward_seconds / BATCHING + self.segmenter_seconds
        edits, params = sum(self._edits(layer) for layer in self.layers), self.request.params
        passes = edits * params["latents"]["count"] + sum(self._ranking_passes(layer) for layer in self.layers)
        return Estimate(
            shards=self._shards(),
            forward_passes=passes,
            scratch_bytes=self.scratch_bytes,
            artifact_bytes=self._artifact_bytes(),
            seconds=passes * one / workers if workers else None,
            workers=workers,
        )

    def _edits(self, layer: Layer) -> int:
        """Pictures that are made of each latent."""
        cells = layer.height * layer.width if self.request.params["where"] == EACH_CELL else 1
        return edits(self.request.params, layer.name, cells)

    def _ranking_passes(self, layer: Layer) -> int:
        """Pictures that ranking and searching make, at most."""
        ranking, units = self.request.params["ranking"], len(self.request.params["units"][layer.name])
        latents: int = ranking["latents"]["count"] if ranking else 0
        return latents * (1 + units * (units + 1) // 2)

    def _shards(self) -> int:
        params = self.request.params
        measured, ranking = params["latents"]["count"], params["ranking"]
        shards: int = 2 + sum(ceil(measured / latents_in_shard(self._edits(layer))) for layer in self.layers)
        if ranking is not None:
            steps = sum(len(params["units"][layer.name]) for layer in self.layers)
            shards += steps * ceil(ranking["latents"]["count"] / LATENTS_IN_SHARD)
        if isinstance(params["value"], dict):
            shards += len(self.layers) * (1 + ceil(measured / LATENTS_IN_SHARD))
        return shards

    @property
    def scratch_bytes(self) -> int:
        """Counts of every concept's pixels and features for every picture, and values that quantiles are found of."""
        params = self.request.params
        each_cell, orders = params["where"] == EACH_CELL, 3 if params["ranking"] else 1
        latents: int = params["latents"]["count"]
        values: int = 0
        for layer in self.layers:
            cells = layer.height * layer.width
            sets = 1 + orders * len(params["sizes"][layer.name])
            values += sets * (8 * self.concepts + (8 * cells if each_cell else 4 * self.features))
            if isinstance(params["value"], dict):
                values += 4 * cells * most_changed(params, layer)
        needed: int = latents * values
        return needed

    def _artifact_bytes(self) -> int:
        height, width = self.model.input["size"]
        kept: int = self.request.params["keep"] * len(self.layers)
        needed: int = 2 * kept * height * width * PICTURE_BYTES
        return needed


def most_changed(params: Mapping[str, Any], layer: Layer) -> int:
    """How many units of a layer are in any set, at most; random ones may be any."""
    return layer.units if params["random"] else len(params["units"][layer.name])


def edits(params: Mapping[str, Any], layer: str, cells: int) -> int:
    """Pictures that are made of a latent: untouched, by each set at each place, by each unit alone."""
    orders = 3 if params["ranking"] else 1
    sets = len(params["sizes"][layer]) * (orders + params["random"]) * cells
    alone = len(params["units"][layer]) if params["target"] and params["where"] != EACH_CELL else 0
    pictures: int = 1 + sets + alone
    return pictures


def latents_in_shard(edits: int) -> int:
    """Latents that a shard takes through so many edits."""
    return max(LEAST_IN_SHARD, min(LATENTS_IN_SHARD, EDITS_IN_SHARD // edits))


def check_intervention(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any], available_bytes: int
) -> CheckedIntervention:
    """Check an intervention against the team's catalog and the scratch space.

    Raise Invalid that points at the fault.
    """
    params = wanted["params"]
    model = find_model(session, team_id, wanted["model"])
    if model.kind != "generator":
        raise Invalid(f"{model.name!r} is a {model.kind}; an intervention takes a generator", "/model")
    layers = _find_layers(session, model, params["layer"])
    units = choose_units(session, team_id, layers, params)
    segmented = _segmented(params, units)
    segmentation = check_segmentation(session, team_id, None, segmented)
    target = _find_target(params["target"] or units.concept, segmentation)
    _check_form(params, target)
    canonical = {
        **params,
        **segmented,
        "layer": [layer.name for layer in layers],
        "grid": params["grid"] or max(MIN_GRID, min(MAX_GRID, *model.input["size"])),
        "units": units.units,
        "order": units.order,
        "dissections": {name: found and str(found.job_id) for name, found in units.dissections.items()},
        "target": target,
        "value": _value(params),
        "where": _where(params["where"], model),
        "sizes": {layer.name: _sizes(params, units, layer) for layer in layers},
        "random": _draws(params),
    }
    _check_apart(canonical, units)
    realism, features = _find_features(session, team_id, params["realism"])
    inputs = {"model": model.digest, **segmentation.digests, **realism}
    request = make_request(team_id, wanted, canonical, inputs, model)
    seconds = sum(segmenter.forward_seconds for segmenter in segmentation.segmenters)
    checked = CheckedIntervention(request, model, layers, segmentation.concepts, seconds, features)
    _check_scratch(checked, available_bytes)
    return checked


def _find_layers(session: Session, model: Model, wanted: str | list[str]) -> list[Layer]:
    if isinstance(wanted, str):
        return [find_layer(session, model, wanted, "/layer")]
    return [find_layer(session, model, name, f"/layer/{place}") for place, name in enumerate(wanted)]


def _segmented(params: Mapping[str, Any], units: ChangedUnits) -> dict[str, Any]:
    """By what the pictures are segmented: as the request says, else as the dissection did."""
    if params["segmentation"] is None:
        return dict(units.segmentation or {"segmentation": [COLORS], "halves": params["halves"]})
    return {"segmentation": params["segmentation"], "halves": params["halves"]}


def _find_target(wanted: Mapping[str, str | None] | None, segmentation: CheckedSegmentation) -> dict[str, str] | None:
    """The concept that is asked for among those that the pictures are searched for."""
    if wanted is None:
        return None
    category, name = wanted["category"], wanted["name"]
    found = [named for named in segmentation.named if named[1] == name and category in (None, named[0])]
    if not found:
        near = catalog.near(name or "", {named for _, named in segmentation.named})
        raise Invalid(
            f"the pictures are not searched for a concept {name!r}{near}; name a segmentation that is", "/target"
        )
    if len(found) > 1:
        categories = ", ".join(sorted(category for category, _ in found))
        raise Invalid(
            f"{name!r} is a concept of several categories, {categories}; name one of them", "/target/category"
        )
    return {"category": found[0][0], "name": found[0][1]}


def _check_form(params: Mapping[str, Any], target: Mapping[str, str] | None) -> None:
    """Raise Invalid for params that do not go together."""
    if params["value"] is not None and params["action"] == REMOVE:
        raise Invalid("units that are removed become 0; leave the value out, or insert them", "/value")
    if target is None and (params["where"] == EACH_CELL or params["ranking"] is not None):
        raise Invalid("name the concept whose pixels are to tell where it works, or which units matter", "/target")
    if params["ranking"] is None:
        return
    if params["action"] != REMOVE or params["where"] == EACH_CELL:
        raise Invalid("units are ranked by what is gone once each is removed, not at each cell", "/ranking")
    if params["ranking"]["candidates"] is not None and isinstance(params["units"], list):
        raise Invalid("the units that are listed are the candidates", "/ranking/candidates")


def _value(params: Mapping[str, Any]) -> Any:
    return (params["value"] if params["value"] is not None else QUANTILE) if params["action"] == INSERT else None


def _where(where: Any, model: Model) -> Any:
    """Where units are changed, a mask at the size of the pictures."""
    if isinstance(where, str):
        return where
    mask: Mask = where[MASK].scaled(*model.input["size"])
    if not mask.pixels().any():
        raise Invalid("the mask touches no pixel", "/where/mask")
    return {MASK: mask.to_json()}


def _sizes(params: Mapping[str, Any], units: ChangedUnits, layer: Layer) -> list[int]:
    """The sizes of a layer's sets: those that are named, else a few up to all of the units, at each cell all."""
    most = units.most[layer.name]
    if params["sizes"] is None:
        return [most] if params["where"] == EACH_CELL else sorted({size for size in SIZES if size < most} | {most})
    too_large = [size for size in params["sizes"] if size > most]
    if too_large:
        problem = f"a set of {too_large[0]} units is asked for, and there are {most} to choose from in {layer.name!r}"
        raise Invalid(problem, f"/sizes/{params['sizes'].index(too_large[0])}")
    return sorted(params["sizes"])


def _draws(params: Mapping[str, Any]) -> int:
    given: int | None = params["random"]
    if given is not None:
        return given
    return 0 if params["where"] == EACH_CELL else DRAWS


def _check_apart(params: Mapping[str, Any], units: ChangedUnits) -> None:
    """Raise Invalid where latents that chose or ranked the units are among those that evaluate."""
    for job_id, latents in units.selecting.items():
        if overlap(latents, params["latents"]):
            problem = (
                f"the dissection {job_id} chose the units on latents {tell(latents)}, some of which are to evaluate"
            )
            raise Invalid(f'{problem}; take others, as in {{"seed": {latents["seed"] + 1}}}', "/latents")
    ranking = params["ranking"]
    if ranking is not None and overlap(ranking["latents"], params["latents"]):
        problem = f"units are ranked on latents {tell(ranking['latents'])}, some of which are to evaluate the ranking"
        raise Invalid(f"{problem}; take others", "/ranking/latents")


def _find_features(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, str] | None
) -> tuple[dict[str, str], int]:
    """The digest of the network whose features tell of realism, and how many these are."""
    if wanted is None:
        return {}, POOLED_FEATURES
    model = find_model(session, team_id, wanted["model"], "/realism/model")
    if model.kind != "classifier":
        raise Invalid(f"{model.name!r} is a {model.kind}; features are those of a classifier", "/realism/model")
    layer = find_layer(session, model, wanted["layer"], "/realism/layer")
    return {"realism": model.digest}, layer.units


def _check_scratch(checked: CheckedIntervention, available_bytes: int) -> None:
    needed = checked.scratch_bytes
    if needed > available_bytes:
        fit = checked.request.params["latents"]["count"] * available_bytes // needed
        remedy = f'"count": {fit} would fit' if fit else "ask for fewer sizes or layers"
        detail = f"the job needs {needed} bytes of scratch space of the {available_bytes} that it may fill; {remedy}"
        raise Invalid(detail, "/latents/count")
