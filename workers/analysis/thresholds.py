"""The exact threshold of a unit, from the few samples that can lie near it.

Bau et al., PNAS 2020, Methods, "Network dissection": t_u is the level that a hundredth of the unit's upsampled
activations exceed, over all images and positions. Here it is ``numpy.quantile(..., 1 - quantile, method="hazen")`` of
all samples, computed from those above a lower bound that a pilot of a few images yields. The bound decides what the
pass costs, never what comes out: one that proves too high is noticed by counting.
"""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from workers.analysis.candidates import Candidates

# Shares of the samples to keep, as multiples of the quantile.
LADDER = (1.25, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 48)
# Standard errors by which a pilot's share must clear the quantile, and the images that make them worth anything.
MARGIN = 5
FEWEST_IMAGES = 8


def pilot_bounds(samples: NDArray[np.float32], quantile: float) -> NDArray[np.float32]:
    """Find for each unit a level that is almost surely not above its threshold and keeps few samples.

    Walks up `LADDER` to the first level whose share of samples above it, as a mean over the pilot's images, clears
    the quantile by `MARGIN` standard errors. Images are the independent draws: the positions of one are not.

    Parameters
    ----------
    samples : (n, U, P) float32
        P samples of each of the pilot's n images, from `sample_grid`.
    quantile : float
        Share of the samples above the threshold, such as 0.01.

    Returns
    -------
    (U,) float32
        `safe_bounds` of the pilot for a unit that is too sparse or too uneven, or if the images are too few.
    """
    images, units, positions = samples.shape
    ordered = np.sort(samples.transpose(1, 0, 2).reshape(units, -1), axis=1)  # (U, n * P)
    bounds = safe_bounds(ordered[:, 0])
    undecided = np.arange(units)
    for share in [multiple * quantile for multiple in LADDER if multiple * quantile < 1 and images >= FEWEST_IMAGES]:
        level = ordered[undecided, int((1 - share) * images * positions)]
        above = (samples[:, undecided] > level[:, None]).mean(axis=2)  # (n, undecided)
        error = above.std(axis=0, ddof=1) / np.sqrt(images)
        clear = above.mean(axis=0) - MARGIN * error >= quantile
        bounds[undecided[clear]] = level[clear]
        undecided = undecided[~clear]
    return bounds


def safe_bounds(minima: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bounds (U,) that cannot prove too high: 0 where no activation is negative, as after a ReLU, else keep all."""
    return np.where(minima >= 0, 0, -np.inf).astype(np.float32)


def thresholds(
    shards: Sequence[Candidates],
    bounds: NDArray[np.float32],
    minima: NDArray[np.float32],
    samples: int,
    quantile: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Compute the exact threshold of each unit.

    Parameters
    ----------
    shards : sequence of Candidates
        The same U units of each shard; together all samples above the bounds.
    bounds : (U,) float32
        What they were collected with.
    minima : (U,) float32
        Minimum of each unit over all images.
    samples : int
        Number N of samples a unit has: images * G * G.
    quantile : float
        Share of the samples above the threshold, such as 0.01.

    Returns
    -------
    thresholds : (U,) float64
        Exact where `known`, the bound elsewhere.
    known : (U,) bool
        False where the bound was too high: collect the unit again with `safe_bounds`.
    """
    # Position of the quantile among the N order statistics, counted from the greatest: 0 is the maximum.
    depth = float(np.clip(samples - 1 - ((1 - quantile) * samples - 0.5), 0, samples - 1))
    kept = np.sum([np.diff(shard.offsets) for shard in shards], axis=0)
    # What was not kept is the bound itself where nothing is lower.
    known = (kept > ceil(depth)) | (minima >= bounds)
    levels = bounds.astype(np.float64)
    for unit in np.flatnonzero(known).tolist():
        values = np.concatenate([shard.values[shard.of(unit)] for shard in shards])
        levels[unit] = _from_top(values, float(bounds[unit]), depth)
    return levels, known


def _from_top(values: NDArray[np.float32], rest: float, depth: float) -> float:
    # Linear between the two order statistics around the depth; every sample beyond `values` equals `rest`.
    ranks = (floor(depth), ceil(depth))
    places = [len(values) - 1 - rank for rank in ranks if rank < len(values)]
    ordered = np.partition(values, places) if places else values
    upper, lower = (float(ordered[len(values) - 1 - rank]) if rank < len(values) else rest for rank in ranks)
    return upper + (lower - upper) * (depth - ranks[0])
