"""How well a classifier tells each class from the rest, and what a removal changes of it.

Bau et al., PNAS 2020: a class's accuracy is its balanced accuracy, one class against all others, from the argmax over
all classes. A class that has no image has no accuracy: its figures are 0 here, and callers leave them out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of C classes under K conditions, or changes of them.

    Attributes
    ----------
    recall : (K, C) float64
        Share of a class's images that are called it.
    true_negative_rate : (K, C) float64
        Share of all other images that are not; 1 where there is no other.
    balanced_accuracy : (K, C) float64
        Mean of the two; chance is a half. Equal fractions are equal floats, so that ties are ties.
    all_class : (K,) float64
        Mean recall of the classes that have images.
    """

    recall: NDArray[np.float64]
    true_negative_rate: NDArray[np.float64]
    balanced_accuracy: NDArray[np.float64]
    all_class: NDArray[np.float64]


@dataclass(frozen=True)
class Changes:
    """Images whose prediction a removal changed, counted for K conditions and C classes.

    Attributes
    ----------
    lost, gained : (K, C) int64
        Images of the class that were right before and are wrong after; wrong before and right after.
    raised, ended : (K, C) int64
        Images of other classes that are called this class only after; only before.
    """

    lost: NDArray[np.int64]
    gained: NDArray[np.int64]
    raised: NDArray[np.int64]
    ended: NDArray[np.int64]


def accuracies(predictions: NDArray[np.integer], classes: NDArray[np.integer], count: int) -> Accuracies:
    """Accuracies of `count` classes from predicted classes (K, n) of n images and their true classes (n,)."""
    sizes = np.bincount(classes, minlength=count)
    hits = _counts([row[row == classes] for row in predictions], count)
    called = _counts(list(predictions), count)
    # The extra one stands for the other images that a lone class lacks.
    rejected = np.maximum(len(classes) - sizes, 1) - (called - hits)
    return _shares(hits, rejected, sizes)


def count_changes(
    before: NDArray[np.integer], after: NDArray[np.integer], classes: NDArray[np.integer], count: int
) -> Changes:
    """Count what changed between predictions (n,) of the untouched network and (K, n) of the conditions."""
    moved = [np.flatnonzero(row != before) for row in after]
    was = [(before[images], classes[images]) for images in moved]
    now = [(row[images], classes[images]) for row, images in zip(after, moved, strict=True)]
    return Changes(
        lost=_counts([called[called == true] for called, true in was], count),
        gained=_counts([called[called == true] for called, true in now], count),
        raised=_counts([called[called != true] for called, true in now], count),
        ended=_counts([called[called != true] for called, true in was], count),
    )


def differences(changes: Changes, sizes: NDArray[np.integer]) -> Accuracies:
    """The change of every accuracy, removed minus untouched; `sizes` (C,) are the numbers of images of the classes."""
    return _shares(changes.gained - changes.lost, changes.ended - changes.raised, sizes)


def log_probabilities(logits: NDArray[np.floating], classes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Log-probability (m,) that logits (m, C) give the true classes (m,)."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, classes[:, None], axis=1)[:, 0]
    found: NDArray[np.float64] = chosen - np.log(np.exp(shifted).sum(axis=1))
    return found


def class_means(values: NDArray[np.floating], classes: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    """Mean of values (K, n) over the images of each class: (K, C)."""
    sizes = np.bincount(classes, minlength=count)
    sums = [np.bincount(classes, weights=row, minlength=count) for row in values]
    means: NDArray[np.float64] = np.array(sums, np.float64).reshape(-1, count) / np.maximum(sizes, 1)
    return means


def _counts(rows: list[NDArray[np.integer]], count: int) -> NDArray[np.int64]:
    return np.array([np.bincount(row, minlength=count) for row in rows], np.int64).reshape(-1, count)


def _shares(hits: NDArray[np.int64], rejected: NDArray[np.int64], sizes: NDArray[np.integer]) -> Accuracies:
    """Accuracies from counts (K, C) of a class's images called so and of other images not called so."""
    own, rest = np.maximum(sizes, 1), np.maximum(sizes.sum() - sizes, 1)
    present = sizes > 0
    recall = hits / own
    # One division of whole numbers, which float64 holds: equal fractions come out equal.
    balanced = (hits * rest + rejected * own) / (2 * own * rest)
    all_class = recall.sum(axis=1) / max(present.sum(), 1)
    return Accuracies(recall, present * (rejected / rest), present * balanced, all_class)
