"""The ways to label an image: by the dataset's masks, by a segmenter, by colours."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.networks.inputs import Geometry
from workers.probes.colors import COLORS, color_map
from workers.probes.layout import Concept
from workers.probes.probe import Probe
from workers.probes.segmenters import Segmenter

COLOR = "color"


class Labeller(Protocol):
    """One way to label a dataset's images."""

    @property
    def concepts(self) -> list[Concept]:
        """What it tells apart."""

    @property
    def channels(self) -> list[str]:
        """The category that each channel of its labels shows."""

    def labels(self, index: int, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label the cells of a grid over the network's input.

        Parameters
        ----------
        index
            Position in the probe's images.
        image
            That image, as `Probe.image` gives it.
        geometry
            Where the network's input lies in the image.
        grid
            Number of cells along each side of the input.

        Returns
        -------
        NDArray[np.uint16]
            Shape (channels, grid, grid): 1 + position in `concepts`, 0 where there is none.
        """


class Masks:
    """The dataset's own labels."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.concepts, self.channels = probe.concepts, probe.channels

    def labels(self, index: int, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label as `Labeller.labels` says."""
        return self._probe.labels(index, (image.height, image.width), geometry, grid)


class Segmented:
    """What a segmenter sees in the dataset's images."""

    def __init__(self, probe: Probe, segmenter: Segmenter) -> None:
        self._probe, self._segmenter = probe, segmenter
        self.concepts, self.channels = segmenter.concepts, segmenter.channels

    def labels(self, index: int, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label as `Labeller.labels` says."""
        return self._segmenter.labels(image, self._probe.images[index].digest, geometry, grid)


class Colors:
    """The colour of each cell's average."""

    def __init__(self) -> None:
        self.concepts, self.channels = [Concept(COLOR, name) for name in COLORS], [COLOR]

    def labels(self, index: int, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label as `Labeller.labels` says."""
        cells = geometry.apply(image).resize((grid, grid), Image.Resampling.BOX)
        rows, columns = geometry.sample_positions((image.height, image.width), grid)
        inside = (rows >= 0)[:, None] & (columns >= 0)  # (G, G)
        return np.where(inside, color_map(np.asarray(cells)) + np.uint16(1), np.uint16(0))[None]
