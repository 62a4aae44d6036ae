"""Which labels a job asks for: the dataset's masks, those of segmenters, colours, and halves of objects."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import Invalid
from workers.networks.inputs import Geometry
from workers.probes.halves import Halved
from workers.probes.labellers import Colors, Labeller, Masks, Segmented
from workers.probes.layout import MAX_CONCEPTS, Concept
from workers.probes.probe import Probe
from workers.probes.segmenters import Segmenter

NO_SEGMENTERS: Mapping[str, Segmenter] = MappingProxyType({})


class Segmentation:
    """The concepts and label channels of the chosen kinds, in their order; what several of them name is one concept."""

    def __init__(
        self,
        probe: Probe,
        kinds: Sequence[str],
        segmenters: Mapping[str, Segmenter] = NO_SEGMENTERS,
        halves: bool = False,
    ) -> None:
        """Take the kinds `masks`, `colors` and names of the segmenters; raise Invalid where one cannot be served."""
        labellers = [_labeller(probe, kind, segmenters) for kind in kinds]
        self._labellers = [Halved(labeller) for labeller in labellers] if halves else labellers
        self.concepts, self._tables = merge([labeller.concepts for labeller in self._labellers])

    @property
    def channels(self) -> list[str]:
        """The category that each channel of the labels shows."""
        return [category for labeller in self._labellers for category in labeller.channels]

    def labels(self, index: int, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label as `Labeller.labels` says; two channels may show the same concept, also at the same cell."""
        return np.concatenate(
            [
                table[labeller.labels(index, image, geometry, grid)]
                for labeller, table in zip(self._labellers, self._tables, strict=True)
            ]
        )


def merge(named: Sequence[Sequence[Concept]]) -> tuple[list[Concept], list[NDArray[np.uint16]]]:
    """Number the concepts of several ways to label once: all concepts, and for each way its own labels' new numbers."""
    concepts = list(dict.fromkeys(concept for mine in named for concept in mine))
    assert len(concepts) <= MAX_CONCEPTS
    label = {concept: number for number, concept in enumerate(concepts, start=1)}
    return concepts, [np.array([0, *(label[concept] for concept in mine)], np.uint16) for mine in named]


def _labeller(probe: Probe, kind: str, segmenters: Mapping[str, Segmenter]) -> Labeller:
    if kind == "masks":
        if not probe.channels:
            raise Invalid("the dataset has no masks; ask for 'colors', or register one with masks", "/segmentation")
        return Masks(probe)
    if kind == "colors":
        return Colors()
    if kind not in segmenters:
        choice = ", ".join(["masks", "colors", *segmenters])
        raise Invalid(f"there is no segmentation {kind!r}; choose of {choice}", "/segmentation")
    return Segmented(probe, segmenters[kind])
