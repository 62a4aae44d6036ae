"""From a well-formed request for work to one that can be done: its subjects exist, fit each other and fit in."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Dataset, Layer, Model
from service.errors import Invalid
from service.jobs.cost_queries import seconds_per_image
from service.jobs.estimates import (
    SHOWN_HEIGHT,
    DissectionSize,
    Estimate,
    LayerSize,
    estimate_dissection,
    images_that_fit,
    scratch_bytes,
)
from service.jobs.latents import DISSECTED
from service.jobs.segmentation import MASKS, CheckedSegmentation, check_segmentation
from service.jobs.submission import JobRequest

MIN_GRID = 4
GENERATOR = "generator"
GENERATED_GRID = 64
"""Largest side of the grid over a generator's pictures, unless told otherwise (Bau et al., PNAS 2020)."""
CELL_PIXELS = 4
"""Pixels of the input along one cell of the grid, which makes 56 cells of 224 pixels."""


@dataclass(frozen=True)
class CheckedDissection:
    """A dissection that can be done: what is to be submitted, and the sizes that its cost follows from."""

    request: JobRequest
    size: DissectionSize
    model: Model

    def estimate(self, session: Session, workers: int) -> Estimate:
        """Reckon what it takes, from what the model's jobs took so far."""
        seconds = seconds_per_image(session, self.request.team_id, self.model.id) or self.model.forward_seconds
        return estimate_dissection(self.size, seconds, workers)


def check_dissection(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any], available_bytes: int
) -> CheckedDissection:
    """Check a dissection against the team's catalog and the scratch space; raise Invalid that points at the fault."""
    model = find_model(session, team_id, wanted["model"])
    dataset = _find_images(session, team_id, model, wanted)
    layers = _find_layers(session, model, wanted["params"]["layers"])
    params = canonical_params(wanted["params"], layers, model, dataset)
    segmentation = check_segmentation(session, team_id, dataset, params)
    size = _size(params, layers, model, dataset, segmentation)
    _check_scratch(size, available_bytes, "/max_images" if dataset else "/latents/count")
    inputs = {"model": model.digest, **segmentation.digests} | ({"dataset": dataset.manifest} if dataset else {})
    return CheckedDissection(make_request(team_id, wanted, params, inputs, model, dataset), size, model)


def _find_images(session: Session, team_id: uuid.UUID, model: Model, wanted: Mapping[str, Any]) -> Dataset | None:
    """The dataset that a classifier is dissected on; None for a generator, which makes its own pictures."""
    if model.kind == GENERATOR:
        _refuse(wanted["dataset"], f"{model.name!r} is a generator and makes its own pictures", "/dataset", "latents")
        _refuse(wanted["params"]["max_images"], "a generator makes a picture of each latent", "/max_images", "latents")
        return None
    if model.kind != "classifier":
        problem = f"{model.name!r} is a {model.kind}; a dissection takes a classifier or a generator"
        raise Invalid(problem, "/model")
    _refuse(wanted["params"]["latents"], f"{model.name!r} is a classifier and takes images", "/latents", "a dataset")
    if wanted["dataset"] is None:
        raise Invalid(f"{model.name!r} is a classifier; name the dataset that it is dissected on", "/dataset")
    return find_dataset(session, team_id, wanted["dataset"], "/dataset")


def _refuse(given: Any, reason: str, pointer: str, remedy: str) -> None:
    if given is not None:
        raise Invalid(f"{reason}; leave {pointer[1:]} out and name {remedy}", pointer)


def find_model(session: Session, team_id: uuid.UUID, name: str, pointer: str = "/model") -> Model:
    """The model that a request names at the pointer; raise Invalid where there is none."""
    model = catalog.find_model(session, team_id, name)
    if model is None:
        near = catalog.near(name, catalog.model_names(session, team_id))
        raise Invalid(f"no model is named {name!r}{near}", pointer)
    return model


def find_dataset(session: Session, team_id: uuid.UUID, name: str, pointer: str) -> Dataset:
    """The dataset that a request names at the pointer; raise Invalid where there is none."""
    dataset = catalog.find_dataset(session, team_id, name)
    if dataset is None:
        near = catalog.near(name, catalog.dataset_names(session, team_id))
        raise Invalid(f"no dataset is named {name!r}{near}", pointer)
    return dataset


def find_layer(session: Session, model: Model, name: str, pointer: str) -> Layer:
    """The layer of the model that a request names at the pointer; raise Invalid where there is none."""
    known = {layer.name: layer for layer in catalog.layers_of(session, model)}
    if name not in known:
        raise Invalid(_no_layer(model, name, known), pointer)
    return known[name]


def check_classes(dataset: Dataset, model: Model, known: Sequence[str], pointer: str) -> None:
    """Raise Invalid where a dataset has no classes, or has some that are none of the model's."""
    if not dataset.classes:
        raise Invalid(f"the images of {dataset.name!r} have no classes; the job asks what they are taken for", pointer)
    strange = [name for name in dataset.classes if name not in known]
    if strange:
        shown = ", ".join(map(repr, strange[:5])) + (", ..." if len(strange) > 5 else "")
        remedy = "name the model's outputs, when it is registered, as the dataset names its classes"
        raise Invalid(f"{model.name!r} lacks classes of {dataset.name!r}: {shown}; {remedy}", pointer)


def _no_layer(model: Model, name: str, known: Iterable[str]) -> str:
    return f"{model.name!r} has no layer {name!r} with a map of units{catalog.near(name, known)}"


def _find_layers(session: Session, model: Model, names: Sequence[str]) -> list[Layer]:
    known = {layer.name: layer for layer in catalog.layers_of(session, model)}
    errors = [
        {"pointer": f"/layers/{i}", "detail": _no_layer(model, name, known)}
        for i, name in enumerate(names)
        if name not in known
    ]
    if errors:
        raise Invalid("; ".join(error["detail"] for error in errors), errors=errors)
    return [layer for layer in known.values() if layer.name in names]


def canonical_params(
    params: Mapping[str, Any], layers: Sequence[Layer], model: Model, dataset: Dataset | None
) -> dict[str, Any]:
    """The params that all requests for the same dissection share: nothing left open, in one order."""
    shared = {**params, "layers": [layer.name for layer in layers]}
    latents, images = shared.pop("latents"), params["max_images"]
    if dataset is None:
        if params["segmentation"] is None:
            raise Invalid('say how its pictures are segmented: "model:<segmenter>", "colors" or both', "/segmentation")
        grid = params["grid"] or max(MIN_GRID, min(GENERATED_GRID, *model.input["size"]))
        return shared | {"grid": grid, "latents": latents or DISSECTED}
    return shared | {
        "segmentation": params["segmentation"] or [MASKS],
        "grid": params["grid"] or dataset.grid or _natural_grid(model.input),
        "max_images": None if images is None or images >= dataset.images else images,
    }


def _natural_grid(input: Mapping[str, Any]) -> int:
    sides = input_sides(input)
    if sides is None:
        raise Invalid("the model takes images of any size, so that the grid must be named", "/grid")
    return max(MIN_GRID, min(sides) // CELL_PIXELS)


def input_sides(input: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of what the network sees; None where the images decide."""
    size = input.get("crop") or input.get("resize")
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _size(
    params: Mapping[str, Any],
    layers: Sequence[Layer],
    model: Model,
    dataset: Dataset | None,
    segmentation: CheckedSegmentation,
) -> DissectionSize:
    return DissectionSize(
        images=params["max_images"] or dataset.images if dataset else params["latents"]["count"],
        picture_bytes=0 if dataset else _picture_bytes(*model.input["size"]),
        grid=params["grid"],
        label_channels=segmentation.channels,
        concepts=segmentation.concepts,
        segmenter_seconds=[model.forward_seconds for model in segmentation.segmenters],
        layers=[LayerSize(layer.units, layer.height, layer.width) for layer in layers],
        quantile=params["quantile"],
        top_images=params["top_images"],
        controls=params["controls"],
    )


def _picture_bytes(height: int, width: int) -> int:
    shown = min(height, SHOWN_HEIGHT)
    return 3 * shown * round(width * shown / height)


def _check_scratch(size: DissectionSize, available_bytes: int, pointer: str) -> None:
    needed = scratch_bytes(size)
    if needed <= available_bytes:
        return
    fit = images_that_fit(size, available_bytes)
    remedy = f'"{pointer.split("/")[-1]}": {fit} would fit' if fit else "ask for fewer layers or a coarser grid"
    detail = f"the job needs {needed} bytes of scratch space of the {available_bytes} that it may fill; {remedy}"
    raise Invalid(detail, pointer)


def make_request(
    team_id: uuid.UUID,
    wanted: Mapping[str, Any],
    params: dict[str, Any],
    inputs: dict[str, str],
    model: Model,
    dataset: Dataset | None = None,
) -> JobRequest:
    """What is to be submitted of a request that was checked: canonical params, digests of what the job reads."""
    seconds = wanted["deadline_seconds"]
    return JobRequest(
        team_id=team_id,
        kind=wanted["kind"],
        params=params,
        inputs=inputs,
        model_id=model.id,
        dataset_id=dataset.id if dataset else None,
        priority=wanted["priority"],
        labels=wanted["labels"],
        lifetime=None if seconds is None else timedelta(seconds=seconds),
        shared=wanted["reuse"],
    )
