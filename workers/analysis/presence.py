"""A unit's peak activation as a score for the presence of a concept in the image.

Bau et al., PNAS 2020, Fig. 1: an image shows the concept or does not, and the unit's peak tells which. All cuts of that
score together give its average precision and the area under its ROC; the cut where both kinds of error are equally
frequent makes the unit a classifier.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

SHARE = 0.05
"""Of a generated picture's pixels, above which an object is there (Bau et al., PNAS 2020, Fig. 4)."""
BINS = 20
CHUNK_VALUES = 2**16
"""Images times pairs that are scored at once: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class PresenceScores:
    """How well units' peaks tell the images of a concept from the others, for P pairs of a unit and a concept.

    A concept that all images show, or none, leaves nothing to tell: its figures are not a number.

    Attributes
    ----------
    average_precision : (P,) float64
        Sum over the distinct peaks, from the highest, of the recall gained times the precision there.
    auroc : (P,) float64
        Share of the pairs of an image with and one without the concept in which the first peaks higher, ties half.
    equal_error_threshold : (P,) float64
        Peak above which the concept is said to be there, where the two error rates are nearest to each other.
    balanced_accuracy : (P,) float64
        Mean of recall and true negative rate at that threshold.
    """

    average_precision: NDArray[np.float64]
    auroc: NDArray[np.float64]
    equal_error_threshold: NDArray[np.float64]
    balanced_accuracy: NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """The images (n) of U units from the highest peak to the lowest; equal peaks are a group.

    Attributes
    ----------
    order : (n, U) int32
        The images.
    first, last : (n, U) int32
        Places at which the group of each place begins and ends.
    cuts : (n, U) float64
        A level below each place's group and above the next one's.
    """

    order: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    cuts: NDArray[np.float64]


def rank(peaks: NDArray[np.float32]) -> Ranking:
    """Rank images by the peaks (n, U) of each unit."""
    places = np.arange(len(peaks), dtype=np.int32)[:, None]
    order = np.argsort(-peaks, axis=0, kind="stable").astype(np.int32)
    ordered = np.take_along_axis(peaks, order, axis=0).astype(np.float64)
    differs = ordered[1:] != ordered[:-1]
    edge = np.ones((1, peaks.shape[1]), bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differs]), places, np.int32(0)), axis=0)
    ends = np.where(np.concatenate([differs, edge]), places, np.int32(len(peaks) - 1))
    last = np.minimum.accumulate(ends[::-1], axis=0)[::-1]
    halfway = np.concatenate([(ordered[1:] + ordered[:-1]) / 2, np.nextafter(ordered[-1:], -np.inf)])
    return Ranking(order, first, last, np.take_along_axis(halfway, last, axis=0))


def presence_scores(
    ranking: Ranking,
    totals: NDArray[np.uint32],
    units: NDArray[np.int64],
    concepts: NDArray[np.int64],
    floor: int = 0,
) -> PresenceScores:
    """Score pairs of a unit and a concept.

    Parameters
    ----------
    ranking : Ranking
        Of n images by U units.
    totals : (n, C) uint32
        Pixels of each image that carry each concept.
    units, concepts : (P,) int64
        The pairs.
    floor : int
        An image shows a concept if more pixels than these do.
    """
    step = max(1, CHUNK_VALUES // len(totals))
    chunks = [
        _score(ranking, totals, units[i : i + step], concepts[i : i + step], floor)
        for i in range(0, max(1, len(units)), step)
    ]
    names = [field.name for field in fields(PresenceScores)]
    return PresenceScores(**{name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names})


def _score(
    ranking: Ranking, totals: NDArray[np.uint32], units: NDArray[np.int64], concepts: NDArray[np.int64], floor: int
) -> PresenceScores:
    shown = totals[ranking.order[:, units], concepts] > floor  # (n, P)
    first, last = ranking.first[:, units], ranking.last[:, units]
    # images with the concept down to the group's end
    hits = np.take_along_axis(shown.cumsum(axis=0, dtype=np.int32), last, axis=0)
    positives, negatives = hits[-1], len(shown) - hits[-1]
    precision = hits / (last + 1)
    higher = len(shown) - 1 - (first + last) / 2  # images that peak lower, ties half
    with np.errstate(divide="ignore", invalid="ignore"):
        average_precision = (shown * precision).sum(axis=0) / positives
        auroc = ((shown * higher).sum(axis=0) - positives * (positives - 1) / 2) / (positives * negatives)
        recall, fallout = hits / positives, (last + 1 - hits) / negatives
        cut = np.abs(1 - recall - fallout).argmin(axis=0)  # of equals the strictest
        pairs = np.arange(len(units))
        balanced = (recall + 1 - fallout)[cut, pairs] / 2
    known = (positives > 0) & (negatives > 0)
    values = (average_precision, auroc, ranking.cuts[cut, units], balanced)
    return PresenceScores(*(np.where(known, value, np.nan) for value in values))


def histogram(peaks: NDArray[np.float32], present: NDArray[np.bool_]) -> dict[str, list[float] | list[int]]:
    """Count a unit's peaks (n,) in equal bins over their range, in images with the concept (n,) and in the others."""
    edges = np.histogram_bin_edges(peaks.astype(np.float64), BINS)
    shown, hidden = (np.histogram(peaks[chosen], edges)[0] for chosen in (present, ~present))
    return {"edges": edges.tolist(), "with": shown.tolist(), "without": hidden.tolist()}
