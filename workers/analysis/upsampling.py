"""Activation maps brought onto the grid where units meet labels.

The default mode repeats the published procedure: half-pixel bilinear interpolation in which neighbours outside the
map count as zero (Bau et al., PNAS 2020, Methods, "Network dissection"). Both modes are separable and linear, so each
axis is one small matrix.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Mode = Literal["zero", "edge"]


def to_grid(maps: Tensor, grid: int, mode: Mode) -> Tensor:
    """Resample every map to a square grid.

    Parameters
    ----------
    maps : Tensor (..., h, w)
        Activation maps; each axis is resampled by itself, so they need not be square.
    grid : int
        Side G of the grid, in samples.
    mode : {"zero", "edge"}
        "zero": half-pixel bilinear, zero outside the map; a map larger than the grid is read at those coordinates by
        the same formula. "edge": bilinear with the border repeated; area average along an axis that shrinks.

    Returns
    -------
    Tensor (..., G, G), float32
        The maps themselves where they have the grid's size already.
    """
    return resample(maps, grid, grid, mode)


def resample(maps: Tensor, height: int, width: int, mode: Mode) -> Tensor:
    """Resample every map to any size: (..., h, w) -> (..., height, width), float32; modes as in `to_grid`."""
    maps = maps.float()
    if maps.shape[-2] != height:
        rows = interpolation_matrix(maps.shape[-2], height, mode, maps.device)
        maps = rows @ maps  # (..., h, w) -> (..., height, w)
    if maps.shape[-1] != width:
        columns = interpolation_matrix(maps.shape[-1], width, mode, maps.device)
        maps = maps @ columns.T  # (..., height, w) -> (..., height, width)
    return maps


def reduce_maps(maps: Tensor, grid: int, mode: Mode) -> Tensor:
    """Shrink maps larger than the grid to it, axis by axis, and leave smaller ones as they are.

    The axes are independent, so ``to_grid(reduce_maps(maps))`` equals ``to_grid(maps)``: the reduced maps hold all
    that a dissection needs. (..., h, w) -> (..., min(h, G), min(w, G)), float32.
    """
    return resample(maps, min(maps.shape[-2], grid), min(maps.shape[-1], grid), mode)


def sample_grid(maps: Tensor, images: NDArray[np.int64], grid: int, mode: Mode, side: int = 15) -> Tensor:
    """Sample of the grid, for estimates.

    Each image has rows and columns of its own, drawn by its index, one from each of `side` equal strips: every position
    is as likely as any other, and a pattern that all images share, as zero padding makes, cannot fall between them.

    Parameters
    ----------
    maps : Tensor (B, U, h, w)
    images : (B,) int64
        Indices of the images in the dataset.
    grid, mode
        As for `to_grid`.
    side : int
        Rows and columns drawn, at most as many as the grid has.

    Returns
    -------
    Tensor (B, U, P), float32
        P = min(side, G)^2 samples of each map.
    """
    heights = interpolation_matrix(maps.shape[-2], grid, mode, maps.device)
    widths = interpolation_matrix(maps.shape[-1], grid, mode, maps.device)
    samples = []
    for image, units in zip(images.tolist(), maps.float(), strict=True):
        random = np.random.default_rng(image)
        rows, columns = _scattered_lines(random, grid, side), _scattered_lines(random, grid, side)
        samples.append((heights[rows] @ units @ widths[columns].T).flatten(1))  # (U, h, w) -> (U, P)
    return torch.stack(samples)


def _scattered_lines(random: np.random.Generator, grid: int, side: int) -> NDArray[np.int64]:
    strips = min(side, grid)
    return ((np.arange(strips) + random.random(strips)) * grid / strips).astype(np.int64)


@lru_cache(maxsize=256)
def interpolation_matrix(size: int, samples: int, mode: Mode, device: torch.device) -> Tensor:
    """The weights that turn an axis of `size` cells into `samples` samples: (samples, size), float32."""
    if mode == "edge" and samples < size:
        weights = _area_weights(size, samples)
    else:
        weights = _bilinear_weights(size, samples, mode)
    return torch.from_numpy(weights.astype(np.float32)).to(device)


def _bilinear_weights(size: int, samples: int, mode: Mode) -> NDArray[np.float64]:
    centres = (np.arange(samples) + 0.5) * size / samples - 0.5
    if mode == "edge":
        centres = centres.clip(0, size - 1)
    # Multiples of 2**-20: the weights and their products with a saturated activation (6 for ReLU6, 1 for a sigmoid)
    # are then exact in float32, and a plateau stays one value instead of a crowd of neighbours around the threshold.
    centres = np.round(centres * 2**20) / 2**20
    # The hat function reaches one cell to either side; what would fall outside the map has no column and counts as 0.
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size)))
    return weights


def _area_weights(size: int, samples: int) -> NDArray[np.float64]:
    edges = np.arange(samples + 1) * size / samples
    cells = np.arange(size)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights: NDArray[np.float64] = np.maximum(0, overlap) * samples / size
    return weights
