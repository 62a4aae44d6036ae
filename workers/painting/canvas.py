"""What painting on one picture begins with, kept so that a further stroke costs what follows the layer alone."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from workers.analysis.strokes import Stroke, lay
from workers.networks.latents import LatentSpec
from workers.networks.network import Network
from workers.networks.tails.resuming import Halves, open_halves

LAYERS, CANVASES = 4, 8
"""Layers and canvases that a process keeps."""


@dataclass(frozen=True)  # a tuple would equal a vector
class Drawn:
    """One of a seed's latents."""

    seed: int
    index: int


Latent = Drawn | tuple[float, ...]
"""One of a seed's, or the values."""


class Canvas:
    """One latent's picture, computed up to a layer; whatever is painted on it passes what follows, one at a time.

    So the same strokes make the same picture to the bit, whether or not the canvas was there before.
    """

    def __init__(self, network: Network, halves: Halves, latent: Tensor) -> None:
        self._network, self._halves = network, halves
        self.kept = halves.front(latent.to(network.device))
        self.maps = halves.maps(self.kept)  # (1, U, h, w)
        self.labels: dict[tuple[str, ...], NDArray[np.uint16]] = {}
        """Of the unedited picture, by the ways it was segmented."""

    @cached_property
    def unedited(self) -> NDArray[np.uint8]:
        """The picture (H, W, 3) without strokes."""
        return self.paint([])

    @cached_property
    def unedited_png(self) -> bytes:
        """The same as PNG."""
        return as_png(self.unedited)

    def paint(self, strokes: Sequence[Stroke]) -> NDArray[np.uint8]:
        """The picture (H, W, 3) with strokes."""
        with torch.inference_mode():
            outputs = self._halves.back(self.kept, lay(self.maps, strokes))
            picture: NDArray[np.uint8] = self._network.latent.pixels(outputs)[0]
        return picture


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) as PNG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


@lru_cache(CANVASES)
def open_canvas(network: Network, layer: str, latent: Latent, memory_bytes: int) -> Canvas:
    """The canvas of a latent; raise Invalid for a layer that cannot be painted on."""
    halves = open_layer(network, layer, memory_bytes)
    with torch.inference_mode():
        return Canvas(network, halves, _draw(network.latent, latent))


def _draw(spec: LatentSpec, latent: Latent) -> Tensor:
    """The latent (1, *shape)."""
    if isinstance(latent, Drawn):
        return spec.rows(latent.seed, [latent.index])
    return torch.tensor(latent, dtype=torch.float32).reshape(1, *spec.shape)


@lru_cache(LAYERS)
def open_layer(network: Network, layer: str, memory_bytes: int) -> Halves:
    """The network's two halves before and behind a layer; raise Invalid for one that cannot be painted on."""
    return open_halves(network, layer, memory_bytes)
