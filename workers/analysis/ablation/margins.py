"""Figures that a mere shift of a class's logit leaves alone.

A class is called where its margin, its logit minus the highest other one, is above 0. A removal that moves the margins
of all images alike changes what is called and loses nothing: the margins tell the class's images from the others as
well as before, at another threshold. The area under the ROC knows no threshold; the best one, chosen on the ranking
images and applied to the evaluation images, says what is left to be had.

Where no image is of the class, or every one, there is nothing to tell: figures are 0, and callers leave them out.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def margin(logits: NDArray[np.float32], c: int) -> NDArray[np.float32]:
    """Margin (n,) of class c from logits (n, C) of two classes or more."""
    rivals = logits.copy()
    rivals[:, c] = -np.inf
    found: NDArray[np.float32] = logits[:, c] - rivals.max(axis=1)
    return found


def margins(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Margins (n, C) of every class from logits (n, C) of two classes or more."""
    second, first = np.partition(logits, -2, axis=1)[:, -2:].T
    found: NDArray[np.float32] = logits - first[:, None]
    winners = logits.argmax(axis=1)[:, None]
    np.put_along_axis(found, winners, (first - second)[:, None], axis=1)
    return found


def auroc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the ROC (R,): the share of pairs of a positive and another image that the scores order, ties half.

    Parameters
    ----------
    scores : (R, n) float32
    positive : (R, n) or (1, n) bool
    """
    return np.array([_auroc(*sides) for sides in _sides(scores, positive)], np.float64)


def best_threshold(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Threshold (R,) above which calling an image positive gives the highest balanced accuracy.

    Midway between two neighbouring scores, or at the highest or just below the lowest of them; of equals the one
    nearest to 0, and of two as near the lower.

    Parameters
    ----------
    scores : (R, n) float32
    positive : (R, n) or (1, n) bool
    """
    return np.array([_best_cut(*sides) for sides in _sides(scores, positive)], np.float64)


def balanced_accuracy_at(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Balanced accuracy (R,) of calling positive what scores above the threshold (R,) of its row.

    Parameters
    ----------
    scores : (R, n) float32
    positive : (R, n) or (1, n) bool
    """
    called = scores > thresholds[:, None]
    own = np.count_nonzero(positive, axis=1)
    rest = positive.shape[1] - own
    hits = np.count_nonzero(called & positive, axis=1)
    rejected = np.count_nonzero(~called & ~positive, axis=1)
    # One division of whole numbers, as in `accuracies`.
    found: NDArray[np.float64] = (hits * rest + rejected * own) / np.maximum(2 * own * rest, 1)
    return found


def _sides(
    scores: NDArray[np.float32], positive: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Each row's scores of the positive images and of the others, sorted."""
    for row, chosen in zip(scores, np.broadcast_to(positive, scores.shape), strict=True):
        values = row.astype(np.float64)  # holds what is midway between two float32
        yield np.sort(values[chosen]), np.sort(values[~chosen])


def _auroc(own: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    below = np.searchsorted(rest, own, side="left") + np.searchsorted(rest, own, side="right")  # twice, ties once
    return float(below.sum() / max(2 * len(own) * len(rest), 1))


def _best_cut(own: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    if len(own) == 0 or len(rest) == 0:
        return 0.0
    levels = np.union1d(own, rest)
    cuts = np.concatenate([[np.nextafter(levels[0], -np.inf)], (levels[1:] + levels[:-1]) / 2, levels[-1:]])
    hits = len(own) - np.searchsorted(own, cuts, side="right")
    balanced = hits * len(rest) + np.searchsorted(rest, cuts, side="right") * len(own)
    best = cuts[balanced == balanced.max()]
    return float(best[np.lexsort([best, np.abs(best)])[0]])
