"""How certain a change is, given that other images might have been drawn.

Images are the independent draws, and each is its own comparison: the same image with and without the units. How many
images a class has is the design's, so that images of the class and of all others are drawn anew separately. A change
depends on how many of n images were lost and how many gained, and how often those come up in n draws with replacement
is multinomial: drawing the two counts is the paired bootstrap over images, without the images (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, ch. 13: the percentile interval). What no image showed no resample shows: where
nothing changed the interval is 0 to 0.

Every draw is seeded by its counts, so that a figure depends on them alone and not on what else is computed with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workers.analysis.ablation.accuracies import Changes
from workers.analysis.bootstrap import HELD_VALUES, LEVEL, RESAMPLES

OWN, OTHERS = 0, 1
CHUNK = 1000
"""Distinct counts whose resamples are held at once."""
DECIMALS = 12


@dataclass(frozen=True)
class Intervals:
    """The 95 % percentile intervals of the changes of K conditions and C classes.

    Attributes
    ----------
    known : (C,) bool
        Classes of which there are two images or more, and two others: one image says nothing of how images differ, and
        the intervals of the other classes are to be left out.
    recall_low, recall_high, true_negative_rate_low, true_negative_rate_high : (K, C) float64
    accuracy_low, accuracy_high : (K, C) float64
        Of the balanced accuracy.
    """

    known: NDArray[np.bool_]
    recall_low: NDArray[np.float64]
    recall_high: NDArray[np.float64]
    true_negative_rate_low: NDArray[np.float64]
    true_negative_rate_high: NDArray[np.float64]
    accuracy_low: NDArray[np.float64]
    accuracy_high: NDArray[np.float64]


def change_intervals(
    changes: Changes, sizes: NDArray[np.integer], rest: NDArray[np.integer], seed: int = 0
) -> Intervals:
    """Intervals of the changes of recall, true negative rate and balanced accuracy.

    Parameters
    ----------
    changes : Changes
        Of K conditions and C classes.
    sizes, rest : (C,) int
        Images of each class, and of all others.
    """
    columns = (changes.raised, changes.ended, rest, changes.lost, changes.gained, sizes)
    counts = np.stack(np.broadcast_arrays(*columns), axis=-1).reshape(-1, 6)
    distinct, which = np.unique(counts, axis=0, return_inverse=True)
    chunks = [_intervals(distinct[i : i + CHUNK], seed) for i in range(0, max(1, len(distinct)), CHUNK)]
    ends = np.concatenate(chunks, axis=1)[:, which].reshape(6, *changes.lost.shape)
    return Intervals((sizes > 1) & (rest > 1), *ends)


def _intervals(counts: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """The six ends (6, D) of distinct raised, ended, other images, lost, gained, own images (D, 6)."""
    true_negative_rate = _resampled(counts[:, :3], (seed, OTHERS))
    recall = _resampled(counts[:, 3:], (seed, OWN))
    rest, own = (np.maximum(counts[:, [column]], 1) for column in (2, 5))
    # in whole numbers up to the end: a change of 0 is 0
    accuracy = recall * rest + true_negative_rate * own
    ends = (_ends(recall) / own, _ends(true_negative_rate) / rest, _ends(accuracy) / (2 * own * rest))
    return np.concatenate(ends, axis=1).T


def _resampled(counts: NDArray[np.int64], seeds: tuple[int, int]) -> NDArray[np.int64]:
    """Gained minus lost in each resample (D, RESAMPLES), of lost, gained and number of images (D, 3).

    Of other images, lost are those that were raised to the class and gained those that ended to be called it.
    """
    distinct, which = np.unique(counts, axis=0, return_inverse=True)
    draws = [_resample(lost, gained, images, seeds) for lost, gained, images in distinct.tolist()]
    return np.array(draws, np.int64).reshape(-1, RESAMPLES)[which]


@lru_cache(maxsize=4096)
def _resample(lost: int, gained: int, images: int, seeds: tuple[int, int]) -> NDArray[np.int64]:
    if lost + gained == 0:
        return np.zeros(RESAMPLES, np.int64)
    random = np.random.default_rng((*seeds, lost, gained, images))
    shares = [lost / images, gained / images, (images - lost - gained) / images]
    drawn = random.multinomial(images, shares, size=RESAMPLES)
    return drawn[:, 1] - drawn[:, 0]


def _ends(values: NDArray[np.number]) -> NDArray[np.float64]:
    """The percentile interval's two ends (..., 2) of resampled values (..., RESAMPLES)."""
    tail = (1 - LEVEL) / 2
    return np.moveaxis(np.quantile(values, [tail, 1 - tail], axis=-1), 0, -1)


def all_class_intervals(
    changes: Changes, sizes: NDArray[np.integer], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of the change of the all-class accuracy, its lower and upper ends (K,) each.

    The images of each class are drawn anew separately, and all classes are drawn together.
    """
    present = np.flatnonzero(sizes)
    totals = np.zeros((len(changes.lost), RESAMPLES))
    for c in present.tolist():
        counts = np.stack(np.broadcast_arrays(changes.lost[:, c], changes.gained[:, c], sizes[c]), axis=1)
        # Classes are independent: equal counts of two of them must not be drawn alike.
        totals += _resampled(counts, (seed, c)) / sizes[c]
    return _interval(totals / max(len(present), 1))


def paired_p_values(changes: Changes, sizes: NDArray[np.integer], rest: NDArray[np.integer]) -> NDArray[np.float64]:
    """Exact two-sided p-values (K, C) of the changes of balanced accuracy; 1 where nothing changed, or no image is.

    Under the null hypothesis each image whose prediction changed might as well have changed the other way. Of the
    images of the class that changed the gained ones are then binomial, and so are, of the others, those that ended to
    be called it: the exact test of sign flips, as McNemar's is, for both kinds of image at once.

    Parameters
    ----------
    changes : Changes
        Of K conditions and C classes.
    sizes, rest : (C,) int
        Images of each class, and of all others.
    """
    own, others = np.maximum(sizes, 1), np.maximum(rest, 1)
    # The change times 2 * own * others: a whole number, so that no rounding decides what reaches as far.
    found = np.abs((changes.gained - changes.lost) * others + (changes.ended - changes.raised) * own) * (sizes > 0)
    columns = (changes.raised + changes.ended, changes.lost + changes.gained, own, others, found)
    counts = np.stack(np.broadcast_arrays(*columns), axis=-1).reshape(-1, 5)
    distinct, which = np.unique(counts, axis=0, return_inverse=True)
    return np.array([_p_value(*row) for row in distinct.tolist()], np.float64)[which].reshape(found.shape)


def _p_value(other_flips: int, own_flips: int, own: int, others: int, found: int) -> float:
    """Probability of a change of `found` or more, either way, where a coin decides which way each image changed."""
    if found == 0:
        return 1.0
    gained = np.arange(own_flips + 1)
    missing = found - (2 * gained - own_flips) * others  # what (2 * ended - other_flips) * own has to make up
    needed = -(-(missing + other_flips * own) // (2 * own))  # rounded up
    reached = _coin_tails(other_flips)[np.clip(needed, 0, other_flips + 1)]
    return float(np.clip(2 * (_coin(own_flips) @ reached), np.finfo(np.float64).tiny, 1))


@lru_cache(maxsize=256)
def _coin(flips: int) -> NDArray[np.float64]:
    """Probability of each number of heads (flips + 1,)."""
    heads = np.arange(flips)
    logs = np.concatenate([[0], np.log((flips - heads) / (heads + 1)).cumsum()])  # of the binomial coefficients
    shares = np.exp(logs - logs.max())
    probabilities: NDArray[np.float64] = shares / shares.sum()
    return probabilities


@lru_cache(maxsize=256)
def _coin_tails(flips: int) -> NDArray[np.float64]:
    """Probability of that many heads or more, of 0 up to flips + 1: (flips + 2,)."""
    return np.concatenate([_coin(flips)[::-1].cumsum()[::-1], [0]])


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values corrected so that a cut at q keeps the share of false findings below q, of any shape.

    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57, 1995.
    """
    order = np.argsort(p, axis=None)
    scaled = p.ravel()[order] * p.size / np.arange(1, p.size + 1)
    corrected = np.empty(p.size)
    corrected[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return corrected.reshape(p.shape)


def contributions(
    before: NDArray[np.integer], after: NDArray[np.integer], classes: NDArray[np.integer], c: int, count: int
) -> NDArray[np.float64]:
    """What each image (n,) adds to the change of class c's balanced accuracy: their sum is the change.

    Parameters
    ----------
    before, after, classes : (n,) int
        Predicted classes of the untouched network and of the condition, and the true ones, of `count` classes.
    """
    own = np.bincount(classes, minlength=count)[c]
    called = (after == c).astype(np.int64) - (before == c)
    shares: NDArray[np.float64] = np.where(classes == c, called / max(own, 1), -called / max(len(classes) - own, 1))
    return shares / 2


def mean_interval(
    contributions: NDArray[np.float64], classes: NDArray[np.integer], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of sums over images, its lower and upper ends (S,) each; one resample serves all sums.

    Parameters
    ----------
    contributions : (S, n) float64
        What each image adds: for a mean over classes the sum of what it adds to each, over their number.
    classes : (n,) int
        The images of each true class are drawn anew separately.
    """
    return _interval(np.concatenate([draws @ contributions.T for draws in _stratified(classes, seed)]).T)


def _interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends (S,) each of resampled sums of fractions (S, RESAMPLES), whose rounding is not to look like a change."""
    ends = _ends(values.round(DECIMALS))
    return ends[:, 0], ends[:, 1]


def _stratified(classes: NDArray[np.integer], seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each image is in each resample, some (r, n) at a time."""
    random, images = np.random.default_rng(seed), len(classes)
    order = np.argsort(classes, kind="stable")
    _, starts, group, sizes = np.unique(classes[order], return_index=True, return_inverse=True, return_counts=True)
    first, limit = starts[group], sizes[group]  # of the class that each place in the order belongs to
    step = max(1, HELD_VALUES // images)
    for start in range(0, RESAMPLES, step):
        drawn = [order[first + random.integers(limit)] for _ in range(min(step, RESAMPLES - start))]
        yield np.stack([np.bincount(draw, minlength=images) for draw in drawn]).astype(np.float64)
