"""Ways to segment a dataset's images: what each tells apart, and whether it can be had."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Dataset, Model
from service.errors import Invalid

MASKS, COLORS, SEGMENTER = "masks", "colors", "model:"
COLOR, OBJECT, PART = "color", "object", "part"
COLOR_NAMES = ("black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")
"""What the colour namer calls pixels."""
HALVES = ("top", "bottom", "left", "right")
MAX_SEGMENTATIONS = 6
"""Ways to segment in one job; its workers hold all of the segmenters."""
MAX_CONCEPTS = 2**16 - 2
MAX_NAME = 256
"""Characters of a concept's name."""

Concepts = Sequence[tuple[str, str]]
"""Categories and names."""


@dataclass(frozen=True)
class CheckedSegmentation:
    """The segmenters of a job, and the concepts and number of channels of labels that all its ways to segment have."""

    segmenters: list[Model]
    named: Collection[tuple[str, str]]
    """The concepts."""
    channels: int

    @property
    def concepts(self) -> int:
        """How many concepts there are."""
        return len(self.named)

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each segmenter."""
        return {SEGMENTER + model.name: model.digest for model in self.segmenters}


def check_segmentation(
    session: Session, team_id: uuid.UUID, dataset: Dataset | None, params: Mapping[str, Any]
) -> CheckedSegmentation:
    """Find what a dataset's images, or pictures that a generator draws, are segmented by.

    Raise Invalid that points at what cannot be.
    """
    names = [kind.removeprefix(SEGMENTER) for kind in params["segmentation"] if kind.startswith(SEGMENTER)]
    segmenters = [_find_segmenter(session, team_id, name) for name in names]
    named = [_outputs(model) for model in segmenters]
    if MASKS in params["segmentation"]:
        named.append(_concepts_of_masks(session, dataset))
    if COLORS in params["segmentation"]:
        named.append([(COLOR, name) for name in COLOR_NAMES])
    # each category of masks or of a segmenter is a channel of labels, and so are the colors
    channels = sum(len({category for category, _ in concepts}) for concepts in named)
    concepts = {concept for concepts in named for concept in concepts}
    if params["halves"]:
        channels += 2 * sum(any(category == OBJECT for category, _ in concepts) for concepts in named)
        concepts |= _halves([name for category, name in sorted(concepts) if category == OBJECT])
    _check_number(len(concepts))
    return CheckedSegmentation(segmenters, concepts, channels)


def _find_segmenter(session: Session, team_id: uuid.UUID, name: str) -> Model:
    model = catalog.find_model(session, team_id, name)
    if model is None:
        near = catalog.near(name, catalog.model_names(session, team_id, "segmenter"))
        raise Invalid(f"no segmenter is named {name!r}{near}", "/segmentation")
    if model.kind != "segmenter":
        raise Invalid(f"{name!r} is a {model.kind}; images are segmented by a model of kind segmenter", "/segmentation")
    return model


def _outputs(segmenter: Model) -> Concepts:
    return [(concept[0], concept[1]) for concept in segmenter.concepts or [] if concept]


def _concepts_of_masks(session: Session, dataset: Dataset | None) -> Concepts:
    if dataset is None:
        detail = 'pictures that are drawn have no masks; ask for "colors" or for a segmenter, "model:<its name>"'
        raise Invalid(detail, "/segmentation")
    concepts = catalog.concepts_of(session, dataset)
    if not concepts:
        detail = f'the dataset {dataset.name!r} has no masks; ask for "colors" or for a segmenter, "model:<its name>"'
        raise Invalid(detail, "/segmentation")
    return concepts


def _halves(objects: Sequence[str]) -> set[tuple[str, str]]:
    """The parts that the halves of these objects are."""
    if not objects:
        raise Invalid(
            'the images are segmented into no concepts of the category "object", which have halves', "/halves"
        )
    halves = {(PART, f"{name}-{side}") for name in objects for side in HALVES}
    for _, name in halves:
        if len(name) > MAX_NAME:
            raise Invalid(f"the name {name!r} of a half would have more than {MAX_NAME} characters", "/halves")
    return halves


def _check_number(concepts: int) -> None:
    if concepts > MAX_CONCEPTS:
        raise Invalid(
            f"the images would be segmented into {concepts} concepts; {MAX_CONCEPTS} is the most", "/segmentation"
        )
