"""How certain an IoU is, given that other images might have been drawn: the bootstrap over images.

Images are the independent draws; the pixels of one are not. Each resample draws as many images as there are, with
replacement, and forms the IoU of what it drew (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13:
the percentile interval).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
HELD_VALUES = 2**21
"""Resamples times images that are held at once."""


def resamples(images: int, seed: int = 0, count: int = RESAMPLES) -> Iterator[NDArray[np.float64]]:
    """Draw the resamples of n images, some (r, n) at a time: how often each image is in each resample.

    Float64 holds whole numbers, so that their sums of products are exact in whatever order they are formed.
    """
    random = np.random.default_rng(seed)
    step = max(1, HELD_VALUES // images)
    for start in range(0, count, step):
        drawn = [random.integers(images, size=images) for _ in range(min(step, count - start))]
        yield np.stack([np.bincount(draw, minlength=images) for draw in drawn]).astype(np.float64)


def iou_intervals(
    intersections: NDArray[np.int64], unions: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % percentile interval of each of K pairs' IoU: its lower and upper ends, (K,) each.

    Parameters
    ----------
    intersections, unions : (n, K) int64
        Pixels of each image; a resample without any pixel of the union has IoU 0.
    """
    shared, either = intersections.astype(np.float64), unions.astype(np.float64)
    ratios = [(draws @ shared) / np.maximum(draws @ either, 1) for draws in resamples(len(shared))]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(ratios), [tail, 1 - tail], axis=0)
    return low, high
