"""An attacked image to look at: image, attacked image, perturbation, and the units that moved most."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from workers.analysis.pictures import masked_image, strip, unit_mask
from workers.analysis.upsampling import Mode
from workers.networks.pixels import LEVELS

SMALLEST = 112
"""Pixels of a shown image's shorter side, at least."""
MOVED = 2
"""Units of each layer that are shown."""


class Mapped(Protocol):
    """A layer whose maps of an image can be seen."""

    def maps(self, pixels: Tensor) -> Tensor:
        """The layer's map of one image (3, H, W): (U, h, w)."""


class Dissected(NamedTuple):
    """A layer, and where its dissection found its units' thresholds."""

    layer: Mapped
    thresholds: Sequence[float | None]
    mode: Mode


def panel(original: Tensor, attacked: Tensor, layers: Sequence[Dissected]) -> NDArray[np.uint8]:
    """Lay out an image (3, H, W) and what an attack made of it, with pixels from 0 to 1.

    First the image, the attacked image, and the perturbation around grey, amplified so that its largest value is full;
    then for each dissected layer the masks of the units moved most, before and after.
    """
    pair = [_shown(image) for image in (original, attacked)]
    shown = [*pair, _shown(amplified(attacked - original))]
    for dissected in layers:
        shown += _masks(dissected, (original, attacked), pair)
    return strip(shown)


def amplified(perturbation: Tensor) -> Tensor:
    """A perturbation (3, H, W) around grey, its largest value at the end of the scale."""
    largest = perturbation.abs().amax().clamp(min=1e-12)
    return 0.5 + perturbation / (2 * largest)


def _masks(
    dissected: Dissected, images: tuple[Tensor, Tensor], pair: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.uint8]]:
    maps = [dissected.layer.maps(image).float().cpu() for image in images]
    moved = (maps[1].amax((1, 2)) - maps[0].amax((1, 2))).abs()
    units = torch.argsort(moved, descending=True, stable=True)[:MOVED].tolist()
    return [
        _masked(shown, found[unit].numpy(), dissected.thresholds[unit], dissected.mode)
        for unit in units
        for shown, found in zip(pair, maps, strict=True)
    ]


def _masked(
    shown: NDArray[np.uint8], activations: NDArray[np.float32], threshold: float | None, mode: Mode
) -> NDArray[np.uint8]:
    level = 0.0 if threshold is None else threshold
    return masked_image(shown, unit_mask(activations, shown.shape[0], shown.shape[1], level, mode))


def _shown(image: Tensor) -> NDArray[np.uint8]:
    """Pixels as bytes (H, W, 3), every one enlarged as a whole where the image is small."""
    factor = max(1, round(SMALLEST / min(image.shape[1:])))
    levels = (image.clamp(0, 1) * LEVELS).round()[None]
    enlarged = interpolate(levels, scale_factor=float(factor), mode="nearest")[0]
    return np.ascontiguousarray(enlarged.to(torch.uint8).permute(1, 2, 0).cpu().numpy())
