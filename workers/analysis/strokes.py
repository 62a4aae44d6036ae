"""Painting with units: strokes laid over a layer's map one after the other, and what they changed in the picture.

Bau et al., PNAS 2020, "Painting with units": a stroke draws or erases a concept where it touches the picture, by the
units that detect the concept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.interventions.edits import pool_mask
from workers.analysis.interventions.pixels import concept_pixels


@dataclass(frozen=True)
class Stroke:
    """One stroke.

    Attributes
    ----------
    units : m different indices
    values : (m,)
        What the stroke brings each unit to: 0 erases it.
    mask : (H, W) bool
        Where it touches the picture.
    strength : float
        0 leaves the units as they are, 1 sets them to the values.
    """

    units: Sequence[int]
    values: Tensor
    mask: Tensor
    strength: float


@dataclass(frozen=True)
class Pixels:
    """Pixels (K,) int64 of each concept inside and outside of the strokes, before and after them."""

    inside_before: NDArray[np.int64]
    inside_after: NDArray[np.int64]
    outside_before: NDArray[np.int64]
    outside_after: NDArray[np.int64]


def unroll(height: int, width: int, runs: Sequence[int]) -> Tensor:
    """The mask (H, W) bool of runs, row by row: so many pixels untouched, so many touched, and so on.

    Raises ValueError where they do not make height * width pixels.
    """
    touched = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return torch.from_numpy(touched.reshape(height, width))


def touched_cells(stroke: Stroke, maps: Tensor) -> Tensor:
    """The cells (h, w) of the maps (..., h, w) that a stroke touches with one pixel or more."""
    height, width = maps.shape[-2:]
    return pool_mask(stroke.mask, height, width)


def lay(maps: Tensor, strokes: Sequence[Stroke]) -> Tensor:
    """Lay strokes over maps in their order, x (1 - a) + v a in every cell that they touch; `maps` stay as they are.

    Parameters
    ----------
    maps : (n, U, h, w)
    strokes : Sequence[Stroke]
        Each over what the earlier ones left.

    Returns
    -------
    (n, U, h, w)
    """
    painted = maps.clone()
    for stroke in strokes:
        units = list(stroke.units)
        before = painted[:, units]  # (n, m, h, w)
        values = stroke.values.to(maps).view(1, -1, 1, 1)
        after = before * (1 - stroke.strength) + values * stroke.strength
        painted[:, units] = torch.where(touched_cells(stroke, maps).to(maps.device), after, before)
    return painted


def count_pixels(before: NDArray[np.uint16], after: NDArray[np.uint16], mask: Tensor, concepts: int) -> Pixels:
    """Count each concept's pixels in labels (channels, G, G) before and after strokes, inside and outside of a mask.

    The mask (H, W) bool is brought to the labels' grid: a cell that it touches is inside.
    """
    inside = pool_mask(mask, *before.shape[1:]).numpy()
    counts = (
        concept_pixels(np.where(area, labels, 0)[None], concepts)[0]
        for area in (inside, ~inside)
        for labels in (before, after)
    )
    return Pixels(*counts)
