"""What an edit did to the pixels of concepts, and how certain that is, given that other pictures might have been drawn.

Bau et al., PNAS 2020: the effect of removing units is the change of a concept's pixels, summed over all pictures,
relative to those of the untouched pictures, with a 99 % confidence interval. The same latents are drawn with and
without the edit, so that the bootstrap resamples pairs of pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 5000
LEVEL = 0.99
HELD_VALUES = 2**21
"""Resamples times pictures that are held at once."""


@dataclass(frozen=True)
class Changes:
    """Relative changes of K concepts' pixels; what is not known is 0.

    Attributes
    ----------
    change, low, high : (K,) float64
        (after - before) / before over all pictures, and the ends of its 99 % interval.
    known : (K,) bool
        Whether any untouched picture shows the concept.
    bounded : (K,) bool
        Whether there is an interval: so many pictures show the concept that each of the resamples has one.
    """

    change: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    known: NDArray[np.bool_]
    bounded: NDArray[np.bool_]


def relative_changes(before: NDArray[np.int64], after: NDArray[np.int64], seed: int = 0) -> Changes:
    """Changes of pixels (n, K), with the paired bootstrap's percentile interval over n pictures.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13.
    """
    whole = before.sum(axis=0)
    change = (after.sum(axis=0) - whole) / np.maximum(whole, 1)
    ratios, full = _resampled(before.astype(np.float64), (after - before).astype(np.float64), seed)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail], axis=0)
    known, bounded = whole > 0, full & (len(before) > 1)
    return Changes(np.where(known, change, 0), np.where(bounded, low, 0), np.where(bounded, high, 0), known, bounded)


def _resampled(
    before: NDArray[np.float64], changes: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The relative change in each resample, and whether all of them have a pixel of the concept."""
    random, pictures = np.random.default_rng(seed), len(before)
    step = max(1, HELD_VALUES // pictures)
    ratios, least = [], np.full(before.shape[1], np.inf)
    for start in range(0, RESAMPLES, step):
        draws = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=min(step, RESAMPLES - start))
        wholes = draws @ before  # float64 holds whole numbers, so that the sums are exact
        ratios.append((draws @ changes) / np.maximum(wholes, 1))
        least = np.minimum(least, wholes.min(axis=0))
    return np.concatenate(ratios), least > 0


@dataclass(frozen=True)
class Band:
    """What random sets of units do: the mean over the draws, and the range that holds 90 % of them; (K,) each."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def random_band(before: NDArray[np.int64], after: NDArray[np.int64], level: float = 0.9) -> Band:
    """Relative changes by random sets: pixels before (K,), after (draws, K), over all pictures; 0 where not known."""
    changes = (after - before) / np.maximum(before, 1) * (before > 0)
    tail = (1 - level) / 2
    low, high = np.quantile(changes, [tail, 1 - tail], axis=0)
    return Band(changes.mean(axis=0), low, high)


def best_first(changes: NDArray[np.int64], units: Sequence[int]) -> list[int]:
    """Units in the order of the pixels (m,) that each alone takes away, most first; of equals the one listed first."""
    return [units[place] for place in np.argsort(changes, kind="stable").tolist()]
