"""What an edit did to the pixels of concepts, and how certain that is, given that other pictures might have been drawn.

Bau et al., PNAS 2020: the effect of removing units is the change of a concept's pixels, summed over all pictures,
relative to those of the untouched pictures, with a 99 % confidence interval. The same latents are drawn with and
without the edit, so that the bootstrap resamples pairs of pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.analysis.bootstrap import resamples

RESAMPLES = 5000
LEVEL = 0.99


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
    ratios, least = [], np.full(before.shape[1], np.inf)
    for draws in resamples(len(before), seed, RESAMPLES):
        wholes = draws @ before
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
