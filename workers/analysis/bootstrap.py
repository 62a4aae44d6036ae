"""How certain an IoU is, given that other images might have been drawn: the bootstrap over images.

Images are the independent draws; the pixels of one are not. Each resample draws as many images as there are, with
replacement, and forms the IoU of what it drew (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13:
the percentile interval).
"""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
CHUNK = 100
"""Resamples that are formed at once."""


def resample(images: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw the resamples of n images, (r, n): how often each image is in each resample."""
    random = np.random.default_rng(seed)
    draws = [np.bincount(random.integers(images, size=images), minlength=images) for _ in range(RESAMPLES)]
    return np.stack(draws).astype(np.uint8)  # 256 times the same image: less likely than any hardware error


def iou_intervals(
    draws: NDArray[np.uint8], intersections: NDArray[np.int64], unions: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % percentile interval of each of K pairs' IoU: its lower and upper ends, (K,) each.

    Parameters
    ----------
    draws : (r, n) uint8
        From `resample`.
    intersections, unions : (n, K) int64
        Pixels of each image; a resample without any pixel of the union has IoU 0.
    """
    # Float64 holds whole numbers, so that their sums of products are exact in whatever order they are formed.
    shared, either = intersections.astype(np.float64), unions.astype(np.float64)
    ratios = []
    for start in range(0, len(draws), CHUNK):
        chunk = draws[start : start + CHUNK].astype(np.float64)
        ratios.append((chunk @ shared) / np.maximum(chunk @ either, 1))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(ratios), [tail, 1 - tail], axis=0)
    return low, high
