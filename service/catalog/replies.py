"""Models and datasets as the wire has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.catalog.queries import ListedModel
from service.catalog.tables import Dataset

_MODEL_FIELDS = ("name", "kind", "source", "weights", "input", "digest", "created_at")
_DATASET_FIELDS = ("name", "format", "location", "images", "grid", "created_at")


def describe_model(listed: ListedModel) -> dict[str, Any]:
    """A model with its counts, for `ModelSchema`."""
    self = f"/v1/models/{listed.model.name}"
    return {
        **{name: getattr(listed.model, name) for name in _MODEL_FIELDS},
        "layers": listed.layers,
        "classes": listed.classes,
        "concepts": describe_outputs(listed.model.concepts),
        "links": {"self": self, "layers": f"{self}/layers", "units": f"/v1/units?model={listed.model.name}"},
    }


def describe_outputs(concepts: Sequence[Sequence[str] | None] | None) -> list[dict[str, str] | None] | None:
    """What a segmenter's outputs stand for, for `OutputSchema`."""
    if concepts is None:
        return None
    return [None if concept is None else {"category": concept[0], "name": concept[1]} for concept in concepts]


def describe_dataset(dataset: Dataset, concepts: Mapping[str, int]) -> dict[str, Any]:
    """A dataset with the numbers of its concepts by category, for `DatasetSchema`."""
    return {
        **{name: getattr(dataset, name) for name in _DATASET_FIELDS},
        "digest": dataset.manifest,
        "classes": len(dataset.classes),
        "concepts": concepts,
        "links": {"self": f"/v1/datasets/{dataset.name}"},
    }
