"""What an attack does to units: whose peaks it moves, and whether those are the units that matter.

Bau et al., PNAS 2020, Fig. 5: the change of a unit's peak activation, attacked minus original, for the most important
units of the target class, of the source class, and all others. The units of one image are moved by one attack, so that
the image, and not the unit, is the independent draw: every figure is first formed for each image, and its interval is
that of a mean over images.
"""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.99
TOP = 10
HELD_VALUES = 2**21
"""Resamples times images that are held at once."""


def group_changes(changes: NDArray[np.floating], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean change of the members of a group in each image: (n, U), (n, U) -> (n,).

    Every image must have a member.
    """
    sums = np.where(members, changes.astype(np.float64), 0).sum(axis=1)
    means: NDArray[np.float64] = sums / members.sum(axis=1)
    return means


def top_shares(
    changes: NDArray[np.floating], important: NDArray[np.bool_], top: int = TOP
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the units moved most, up or down, that are important ones, and what chance would give.

    Parameters
    ----------
    changes : (n, U)
        Of units' peaks.
    important : (n, U) bool
        Which units matter for the image's classes.

    Returns
    -------
    shares, chances : (n,) float64
        Of equal changes the lower unit counts as moved more.
    """
    moved = moved_most(changes)[:, :top]
    return np.take_along_axis(important, moved, axis=1).mean(axis=1), important.mean(axis=1)


def moved_most(changes: NDArray[np.floating]) -> NDArray[np.int64]:
    """Units in the order of how far they moved, furthest first, of equals the lower one: (n, U) -> (n, U)."""
    return np.argsort(-np.abs(changes), axis=1, kind="stable")


def concept_changes(changes: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean change of the units of each concept: (n, U), weights (K, U) -> (n, K).

    A unit's weight is the IoU of its label, so that the better a unit detects a concept, the more it says of it.
    """
    found: NDArray[np.float64] = changes.astype(np.float64) @ (weights / weights.sum(axis=1, keepdims=True)).T
    return found


def mean_intervals(values: NDArray[np.float64], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 99 % percentile intervals of means over images: (n, K) -> lower and upper ends (K,) each.

    The bootstrap over images (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13); of two and more.
    """
    random, images = np.random.default_rng(seed), len(values)
    step = max(1, HELD_VALUES // images)
    means = [
        random.multinomial(images, np.full(images, 1 / images), size=min(step, RESAMPLES - start)) @ values / images
        for start in range(0, RESAMPLES, step)
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail], axis=0)
    return low, high
