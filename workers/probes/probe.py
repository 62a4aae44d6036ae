"""A dataset as the analysis sees it: images in a fixed order, and for each a grid of labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.networks.inputs import Geometry, Size
from workers.probes import images
from workers.probes.layout import Concept, Layout, Mask
from workers.probes.manifest import PinnedTree


@dataclass(frozen=True, slots=True)
class ProbeImage:
    """What is known of an image without opening it."""

    name: str
    digest: str
    """sha256 of the file."""
    class_index: int | None
    """Position in the probe's classes, where the dataset says."""


class Probe:
    """A registered dataset; every method may be called from any thread."""

    def __init__(self, tree: PinnedTree, layout: Layout, max_pixels: int) -> None:
        self._tree = tree
        self._layout = layout
        self._max_pixels = max_pixels
        self.images = [
            ProbeImage(picture.name, tree.entries[picture.file].sha256, picture.class_index)
            for picture in layout.pictures
        ]

    @property
    def concepts(self) -> list[Concept]:
        """What the images may show, in the order in which labels count."""
        return self._layout.concepts

    @property
    def classes(self) -> list[str]:
        """The names of the dataset's classes."""
        return self._layout.classes

    @property
    def channels(self) -> list[str]:
        """The category that each channel of the labels shows; none for a dataset without masks."""
        return self._layout.channels

    def image(self, index: int) -> Image.Image:
        """An image in mode RGB, upright; raise Invalid where it cannot be decoded, Conflict where it changed."""
        file = self._layout.pictures[index].file
        return images.decode_image(self._tree.read(file), file, self._max_pixels)

    def labels(self, index: int, image_size: Size, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Sample an image's masks and whole-image labels at the centres of a grid over the network's input.

        Parameters
        ----------
        index
            Position in `images`.
        image_size
            Height and width of the image, in pixels; masks of another size are stretched over it.
        geometry
            Where the network's input lies in the image.
        grid
            Number of cells along each side of the input.

        Returns
        -------
        NDArray[np.uint16]
            Shape (channels, grid, grid): 1 + position in `concepts`, 0 where there is none or no image.

        Raises
        ------
        Invalid
            A mask cannot be decoded.
        Conflict
            A mask changed since the dataset was registered.
        """
        labels = np.zeros((len(self.channels), grid, grid), np.uint16)
        picture = self._layout.pictures[index]
        for channel, label in picture.whole_labels:
            labels[channel] = np.where(_inside(*geometry.sample_positions(image_size, grid)), label, 0)
        for mask in picture.masks:
            sampled = self._sample(mask, image_size, geometry, grid)
            np.copyto(labels[mask.channel], sampled, where=sampled > 0)
        return labels

    def _sample(self, mask: Mask, image_size: Size, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        numbers = mask.read(self._tree.read(mask.file), self._max_pixels)  # (h, w)
        height, width = numbers.shape
        rows, columns = geometry.sample_positions(image_size, grid, (height, width))
        labels = mask.numbering.labels(numbers[np.ix_(rows, columns)])  # (G, G)
        return np.where(_inside(rows, columns), labels, np.uint16(0))


def _inside(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which cells lie on the image: (G,), (G,) -> (G, G)."""
    return (rows >= 0)[:, None] & (columns >= 0)
