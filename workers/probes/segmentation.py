"""Which labels a job asks for: the dataset's masks, colours, or both."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import Invalid
from workers.networks.inputs import Geometry
from workers.probes.colors import COLORS, color_map
from workers.probes.layout import Concept
from workers.probes.probe import Probe

KINDS = ("masks", "colors")
COLOR = "color"


class Segmentation:
    """The concepts and label channels of the chosen kinds: masks first, then colours; each concept occurs once."""

    def __init__(self, probe: Probe, kinds: Sequence[str]) -> None:
        """Raise Invalid where the dataset cannot serve a kind."""
        _check(probe, kinds)
        self._probe = probe
        self._masks, self._colors = "masks" in kinds, "colors" in kinds
        self.concepts = list(probe.concepts) if self._masks else []
        self._first_color = 1 + len(self.concepts)
        if self._colors:
            self.concepts += [Concept(COLOR, name) for name in COLORS]

    @property
    def channels(self) -> list[str]:
        """The category that each channel of the labels shows."""
        return (self._probe.channels if self._masks else []) + [COLOR] * self._colors

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
        size = (image.height, image.width)
        channels = [self._probe.labels(index, size, geometry, grid)] if self._masks else []
        if self._colors:
            channels.append(self._color_labels(image, geometry, grid)[None])
        return np.concatenate(channels)

    def _color_labels(self, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        cells = geometry.apply(image).resize((grid, grid), Image.Resampling.BOX)
        rows, columns = geometry.sample_positions((image.height, image.width), grid)
        inside = (rows >= 0)[:, None] & (columns >= 0)  # (G, G)
        return np.where(inside, color_map(np.asarray(cells)) + np.uint16(self._first_color), np.uint16(0))


def _check(probe: Probe, kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise Invalid(f"there is no segmentation {unknown}; choose of {', '.join(KINDS)}", "/segmentation")
    if "masks" in kinds and not probe.channels:
        raise Invalid("the dataset has no masks; ask for 'colors', or register one with masks", "/segmentation")
    if set(KINDS) <= set(kinds) and any(concept.category == COLOR for concept in probe.concepts):
        raise Invalid("the dataset's masks name colours themselves; ask for 'masks' or 'colors' alone", "/segmentation")
