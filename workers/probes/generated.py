"""Pictures that a generator made: what they are called, and how they are labelled."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import Invalid
from workers.networks.inputs import Geometry
from workers.probes.halves import Halves
from workers.probes.labellers import Colors
from workers.probes.layout import Concept
from workers.probes.segmentation import NO_SEGMENTERS, merge
from workers.probes.segmenters import Segmenter


def picture_name(seed: int, index: int) -> str:
    """What the picture of a seed's latent is called."""
    return f"seed {seed} latent {index:06}"


def picture_digest(model: str, seed: int, index: int) -> str:
    """What stands for the picture where an image's file has its sha256; `model` is the generator's digest."""
    return hashlib.sha256(f"{model}/{seed}/{index}".encode()).hexdigest()


class PictureLabeller(Protocol):
    """One way to label pictures."""

    @property
    def concepts(self) -> list[Concept]:
        """What it tells apart."""

    @property
    def channels(self) -> list[str]:
        """The category that each channel of its labels shows."""

    def label(self, images: Sequence[Image.Image], grid: int) -> NDArray[np.uint16]:
        """Label the cells of a grid over images of one size: (n, channels, G, G), 1 + position in `concepts` or 0."""


class Labels:
    """The concepts and label channels of the chosen kinds, in their order; what several of them name is one concept."""

    def __init__(
        self, kinds: Sequence[str], segmenters: Mapping[str, Segmenter] = NO_SEGMENTERS, halves: bool = False
    ) -> None:
        """Take the kind `colors` and names of the segmenters; raise Invalid for `masks`, which no generator has."""
        labellers = [_labeller(kind, segmenters) for kind in kinds]
        self._labellers = [HalvedPictures(labeller) for labeller in labellers] if halves else labellers
        self.concepts, self._tables = merge([labeller.concepts for labeller in self._labellers])

    @property
    def channels(self) -> list[str]:
        """The category that each channel of the labels shows."""
        return [category for labeller in self._labellers for category in labeller.channels]

    def label(self, pictures: NDArray[np.uint8], grid: int) -> NDArray[np.uint16]:
        """Label the cells of a grid over pictures as `Segmentation.labels` labels those of an image.

        Parameters
        ----------
        pictures
            (n, H, W, 3) sRGB, n at least 1.
        grid
            Number of cells along each side.

        Returns
        -------
        NDArray[np.uint16]
            (n, channels, grid, grid): 1 + position in `concepts`, 0 where there is none.

        Raises
        ------
        Invalid
            A segmenter's output is not finite.
        """
        images = [Image.fromarray(picture) for picture in pictures]
        labellers = zip(self._labellers, self._tables, strict=True)
        return np.concatenate([table[labeller.label(images, grid)] for labeller, table in labellers], axis=1)


class ColoredPictures:
    """The colour of each cell's average."""

    def __init__(self) -> None:
        self._colors = Colors()
        self.concepts, self.channels = self._colors.concepts, self._colors.channels

    def label(self, images: Sequence[Image.Image], grid: int) -> NDArray[np.uint16]:
        """Label as `PictureLabeller.label` says."""
        geometry = Geometry(None, (images[0].height, images[0].width))
        return np.stack([self._colors.labels(index, image, geometry, grid) for index, image in enumerate(images)])


class HalvedPictures:
    """A labeller and two more channels for each of its objects: top or bottom half, left or right half."""

    def __init__(self, whole: PictureLabeller) -> None:
        self._whole, self._halves = whole, Halves(whole.concepts, whole.channels)
        self.concepts, self.channels = self._halves.concepts, self._halves.channels

    def label(self, images: Sequence[Image.Image], grid: int) -> NDArray[np.uint16]:
        """Label as `PictureLabeller.label` says."""
        return np.stack([self._halves.extend(labels) for labels in self._whole.label(images, grid)])


def _labeller(kind: str, segmenters: Mapping[str, Segmenter]) -> PictureLabeller:
    if kind == "colors":
        return ColoredPictures()
    if kind not in segmenters:
        choice = ", ".join(["colors", *segmenters])
        raise Invalid(f"generated pictures have no segmentation {kind!r}; choose of {choice}", "/segmentation")
    return segmenters[kind]
