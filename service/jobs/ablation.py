"""From a request for an ablation to one that can be done, and what it costs."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Dataset, Layer, Model
from service.errors import Invalid
from service.jobs.checks import check_classes, find_dataset, find_layer, find_model, input_sides, make_request
from service.jobs.cost_queries import seconds_per_image, seconds_per_pair
from service.jobs.estimates import Estimate
from service.jobs.queries import find_layer_dissection
from service.jobs.submission import JobRequest

SIZES = (1, 2, 3, 4, 5, 20, 64, 128, 256)
"""How many units are removed together, in the paper."""
DRAWS = 20
"""Random sets of each size that a class's most important units are compared with."""
IMAGES_IN_SHARD = 256
UNITS_IN_SHARD = 256
PAIRS_IN_SHARD = 2**17
"""Images times sets of units in a shard that removes sets."""
ORDERS = 3
"""Sets of each size for each class: the most important units, the least important, all but the most important."""
KEPT_OUTPUTS = 2.0
"""What is kept of an image, in outputs of the layer: the output itself and what else the rest of the network reads."""
MATRICES = 9
"""Dense matrices, units x classes, that are kept: four of each set of images, and coactivations."""
BATCHING = 5.0
"""How much faster an image's rest of the network runs among many than it did alone."""


@dataclass(frozen=True)
class CheckedAblation:
    """An ablation that can be done: what is to be submitted, and what its cost follows from."""

    request: JobRequest
    model: Model
    layer: Layer
    images: int
    """Of both datasets, or halves."""
    units: int
    """That are removed, alone and in sets."""
    classes: int
    """That sets of units are removed for."""

    def estimate(self, session: Session, workers: int) -> Estimate:
        """Reckon what it takes, from what the model's jobs took so far."""
        seconds = self.images * self._front_seconds(session) + self.pairs * self._tail_seconds(session)
        collecting = ceil(self.images / IMAGES_IN_SHARD)
        whole = self.layer.tail_seconds is None
        return Estimate(
            shards=3
            + collecting * (1 + ceil(self.layer.units / UNITS_IN_SHARD))
            + ceil(self.images * self.sets / PAIRS_IN_SHARD),
            forward_passes=self.images + (self.pairs if whole else 0),
            scratch_bytes=_scratch_bytes(self.model, self.layer, self.images),
            artifact_bytes=MATRICES * 4 * self.units * self.classes,
            seconds=seconds / workers if workers else None,
            workers=workers,
            notes=[_runs_whole(self.layer)] if whole else [],
        )

    @property
    def sets(self) -> int:
        """Sets of units that are removed from every image."""
        sizes = self.request.params["sizes"]
        return (self.units - 1 if sizes == "all" else len(sizes)) * (ORDERS * self.classes + DRAWS)

    @property
    def pairs(self) -> int:
        """Images times units and sets of units."""
        return self.images * (self.units + self.sets)

    def _front_seconds(self, session: Session) -> float:
        known = seconds_per_image(session, self.request.team_id, self.model.id)
        return known or self.model.forward_seconds

    def _tail_seconds(self, session: Session) -> float:
        known = seconds_per_pair(session, self.request.team_id, self.model.id, self.layer.name)
        if known is not None:
            return known
        return self.model.forward_seconds if self.layer.tail_seconds is None else self.layer.tail_seconds / BATCHING


def check_ablation(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any], available_bytes: int
) -> CheckedAblation:
    """Check an ablation against the team's catalog and the scratch space; raise Invalid that points at the fault."""
    params = wanted["params"]
    model = find_model(session, team_id, wanted["model"])
    if model.kind != "classifier":
        raise Invalid(f"{model.name!r} is a {model.kind}; an ablation takes a classifier", "/model")
    datasets = _find_datasets(session, team_id, wanted)
    layer = find_layer(session, model, params["layer"], "/layer")
    classes = _check_classes(session, model, datasets, params["classes"])
    units = _check_units(layer, params["units"])
    sizes = _check_sizes(params["sizes"], len(units) if units else layer.units)
    dissection = _find_dissection(session, layer, params["dissection"])
    canonical = {
        **params,
        "units": units or "all",
        "classes": params["classes"] if params["classes"] == "all" else sorted(params["classes"]),
        "sizes": sizes,
        "dissection": dissection and str(dissection),
    }
    images = _count_images(datasets, params["max_images"])
    _check_scratch(model, layer, images, available_bytes)
    inputs = {"model": model.digest, "dataset": datasets[0].manifest, "ranking_dataset": datasets[-1].manifest}
    request = make_request(team_id, wanted, canonical, inputs, model, datasets[0])
    return CheckedAblation(request, model, layer, images, len(units) if units else layer.units, classes)


def _runs_whole(layer: Layer) -> str:
    return f"the network cannot be cut behind layer {layer.name!r}: it runs whole for every set of units and image"


def _find_datasets(session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any]) -> list[Dataset]:
    """The evaluation dataset and, where there is one, the ranking dataset."""
    evaluation = find_dataset(session, team_id, wanted["dataset"], "/dataset")
    name = wanted["params"]["ranking_dataset"]
    if name is None:
        return [evaluation]
    ranking = find_dataset(session, team_id, name, "/ranking_dataset")
    if ranking.manifest == evaluation.manifest:
        remedy = "name another dataset, or none, which splits the images of each class in two"
        raise Invalid(f"{name!r} has the images that shall evaluate the ranking; {remedy}", "/ranking_dataset")
    return [evaluation, ranking]


def _check_classes(session: Session, model: Model, datasets: Sequence[Dataset], wanted: Any) -> int:
    """The number of classes whose sets of units are removed."""
    known = catalog.classes_of(session, model)
    for dataset, pointer in zip(datasets, ("/dataset", "/ranking_dataset"), strict=False):
        check_classes(dataset, model, known, pointer)
    shown = [name for name in datasets[0].classes if name in datasets[-1].classes]
    if wanted == "all":
        return len(shown)
    for place, name in enumerate(wanted):
        if name not in known:
            raise Invalid(f"{model.name!r} has no class {name!r}{catalog.near(name, known)}", f"/classes/{place}")
        if name not in shown:
            raise Invalid(
                f"no image of class {name!r} is in the datasets{catalog.near(name, shown)}", f"/classes/{place}"
            )
    return len(wanted)


def _check_units(layer: Layer, wanted: Any) -> list[int] | None:
    """The units that are named, in order; None where that is all of them."""
    if wanted == "all":
        return None
    for place, unit in enumerate(wanted):
        if unit >= layer.units:
            raise Invalid(f"layer {layer.name!r} has units 0 to {layer.units - 1}, no unit {unit}", f"/units/{place}")
    return sorted(wanted) if len(wanted) < layer.units else None


def _check_sizes(wanted: Any, units: int) -> Any:
    if wanted == "all":
        return wanted
    if wanted is None:
        return [size for size in SIZES if size < units]
    for place, size in enumerate(wanted):
        if size > units:
            raise Invalid(f"there are {units} units; {size} of them cannot be removed", f"/sizes/{place}")
    return sorted(wanted)


def _find_dissection(session: Session, layer: Layer, job_id: uuid.UUID | None) -> uuid.UUID | None:
    found = find_layer_dissection(session, layer.id, job_id)
    if found is None and job_id is not None:
        raise Invalid(f"no job {job_id} has dissected layer {layer.name!r} here", "/dissection")
    return found


def _count_images(datasets: Sequence[Dataset], most: int | None) -> int:
    return sum(min(dataset.images, most or dataset.images) for dataset in datasets)


def _scratch_bytes(model: Model, layer: Layer, images: int) -> int:
    kept = KEPT_OUTPUTS * 4 * layer.units * layer.height * layer.width
    if layer.tail_seconds is None:
        height, width = input_sides(model.input) or (0, 0)
        kept += 4 * 3 * height * width
    return ceil(images * kept)


def _check_scratch(model: Model, layer: Layer, images: int, available_bytes: int) -> None:
    needed = _scratch_bytes(model, layer, images)
    if needed <= available_bytes:
        return
    remedy = f'"max_images": {images * available_bytes // needed // 2} would fit'
    detail = f"the job needs {needed} bytes of scratch space of the {available_bytes} that it may fill; {remedy}"
    raise Invalid(detail, "/max_images")
