"""Which units matter: for one class, for many, beside what they detect, and with which classes they light up.

Bau et al., PNAS 2020: units are ranked for a class by the balanced accuracy left when each alone is removed; a unit's
importance is the number of classes that have it among their four most damaging (Fig. 2e). The supplement correlates a
unit's peak with a class's probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workers.analysis.controls import p_values

RankBy = Literal["balanced_accuracy", "log_probability"]
TOP = 4
DRAWS = 20
LEVEL = 0.9
PERMUTATIONS = 10_000
HELD_VALUES = 2**20
"""Permutations times units that are held at once."""


def order_units(
    balanced_accuracy: NDArray[np.float64], log_probability: NDArray[np.float64], rank_by: RankBy
) -> NDArray[np.int64]:
    """Order the units for each class, the most damaging first: (C, U).

    Parameters
    ----------
    balanced_accuracy, log_probability : (U, C) float64
        What each class is left with when the unit is removed: its balanced accuracy, and the mean log-probability of
        its images.
    rank_by : {"balanced_accuracy", "log_probability"}
        By balanced accuracy, equals by log-probability; or by that alone. Of equals the lower unit comes first.
    """
    keys = [log_probability.T, balanced_accuracy.T]  # (C, U); the last one decides first
    return np.lexsort(keys[: 1 if rank_by == "log_probability" else 2])


def ranks(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each unit's place, from 1, in the order (C, U) of each class: (U, C)."""
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(1, order.shape[1] + 1)[None], axis=1)
    return places.T


def importance(order: NDArray[np.int64], top: int = TOP) -> NDArray[np.int64]:
    """Count the classes that have a unit among their `top` most damaging: (C, U) -> (U,).

    Classes without images are to be left out of the order.
    """
    return np.bincount(order[:, :top].ravel(), minlength=order.shape[1])


@dataclass(frozen=True)
class Correlation:
    """How two figures of the same units go together; None where one of them does not vary.

    Attributes
    ----------
    pearson, spearman : float or None
        Pearson's r, and that of the ranks, ties sharing theirs.
    pearson_p, spearman_p : float or None
        Two-sided: the share of arrangements, the real one among them, that reach as far from 0.
    permutations : int
        Random arrangements that were tried.
    """

    pearson: float | None
    pearson_p: float | None
    spearman: float | None
    spearman_p: float | None
    permutations: int


def correlate(
    importance: NDArray[np.integer], iou: NDArray[np.float64], permutations: int = PERMUTATIONS, seed: int = 0
) -> Correlation:
    """Correlate units' importance (U,) with the IoU (U,) of what they detect."""
    values = importance.astype(np.float64), iou.astype(np.float64)
    pearson, pearson_p = _tested(*values, permutations, seed)
    spearman, spearman_p = _tested(_midranks(values[0]), _midranks(values[1]), permutations, seed)
    return Correlation(pearson, pearson_p, spearman, spearman_p, permutations)


def _tested(
    x: NDArray[np.float64], y: NDArray[np.float64], permutations: int, seed: int
) -> tuple[float, float] | tuple[None, None]:
    if len(x) == 0 or x.min() == x.max() or y.min() == y.max():
        return None, None
    x, y = ((values - values.mean()) / np.linalg.norm(values - values.mean()) for values in (x, y))
    found = float(np.clip(x @ y, -1, 1))
    random, reached = np.random.default_rng(seed), np.zeros(1, np.int64)
    step = max(1, HELD_VALUES // len(x))
    for start in range(0, permutations, step):
        held = np.tile(x, (min(step, permutations - start), 1))
        # Arrangements that amount to the same are to count as equal, whatever order their sums were formed in.
        reached += (np.abs(random.permuted(held, axis=1) @ y) >= abs(found) - 1e-12).sum()
    return found, p_values(reached, permutations).item()


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middles = sizes.cumsum() - (sizes - 1) / 2
    shared: NDArray[np.float64] = middles[group]
    return shared


def mean_iou_by_importance(importance: NDArray[np.integer], iou: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Mean IoU of the units (U,) of each importance, the least important first (Fig. 2e)."""
    values, group = np.unique(importance, return_inverse=True)
    units = np.bincount(group)
    means = np.bincount(group, weights=iou) / units
    columns = zip(values.tolist(), units.tolist(), means.tolist(), strict=True)
    return [{"importance": value, "units": count, "mean_iou": mean} for value, count, mean in columns]


@dataclass
class Moments:
    """What the correlations of U units' peaks with C classes' probabilities over images are computed from.

    Sums of deviations from the mean, which are added up without loss of digits (Chan, Golub and LeVeque, Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979). The fields may be stored as arrays.

    Attributes
    ----------
    images : int
    units, classes : (4, U), (4, C) float64
        Mean, sum of squared deviations from it, lowest and highest. The last two tell exactly whether anything varied.
    products : (U, C) float64
        Sum of products of the two deviations.
    """

    images: int
    units: NDArray[np.float64]
    classes: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def empty(cls, units: int, classes: int) -> "Moments":
        """Moments of no image."""
        nothing = np.array([[0.0], [0.0], [np.inf], [-np.inf]])
        return cls(0, nothing.repeat(units, axis=1), nothing.repeat(classes, axis=1), np.zeros((units, classes)))

    @classmethod
    def of(cls, peaks: NDArray[np.floating], probabilities: NDArray[np.floating]) -> "Moments":
        """Moments of at least one image: peaks (n, U), probabilities (n, C)."""
        values = peaks.astype(np.float64), probabilities.astype(np.float64)
        deviations = [side - side.mean(axis=0) for side in values]
        sides = [
            np.stack([side.mean(axis=0), (deviation**2).sum(axis=0), side.min(axis=0), side.max(axis=0)])
            for side, deviation in zip(values, deviations, strict=True)
        ]
        return cls(len(peaks), sides[0], sides[1], deviations[0].T @ deviations[1])

    def add(self, peaks: NDArray[np.floating], probabilities: NDArray[np.floating]) -> None:
        """Take in images: peaks (n, U), probabilities (n, C)."""
        self.merge(Moments.of(peaks, probabilities))

    def merge(self, other: "Moments") -> None:
        """Take in the images of another."""
        images = self.images + other.images
        share = other.images / max(images, 1)
        steps = np.outer(other.units[0] - self.units[0], other.classes[0] - self.classes[0])
        self.products = self.products + other.products + self.images * share * steps
        self.units = _joined(self.units, other.units, self.images, share)
        self.classes = _joined(self.classes, other.classes, self.images, share)
        self.images = images

    def varies(self) -> NDArray[np.bool_]:
        """Which pairs (U, C) have a correlation: neither the peak nor the probability is the same in all images."""
        pairs: NDArray[np.bool_] = np.logical_and.outer(*(side[2] < side[3] for side in (self.units, self.classes)))
        return pairs

    def correlation(self) -> NDArray[np.float64]:
        """Pearson's r (U, C); 0 for the pairs that do not vary."""
        scale = np.outer(np.sqrt(self.units[1]), np.sqrt(self.classes[1]))
        known = self.varies() & (scale > 0)
        found: NDArray[np.float64] = np.clip(np.where(known, self.products, 0) / np.where(known, scale, 1), -1, 1)
        return found


def coactivation(peaks: NDArray[np.floating], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson's r (U, C) of peaks (n, U) with probabilities (n, C) over the images; 0 where one does not vary."""
    return Moments.of(peaks, probabilities).correlation()


def _joined(one: NDArray[np.float64], other: NDArray[np.float64], images: int, share: float) -> NDArray[np.float64]:
    step = other[0] - one[0]
    squares = one[1] + other[1] + images * share * step**2
    return np.stack([one[0] + share * step, squares, np.minimum(one[2], other[2]), np.maximum(one[3], other[3])])


def random_sets(units: Sequence[int], sizes: Sequence[int], draws: int = DRAWS, seed: int = 0) -> list[list[list[int]]]:
    """Draw sets of units at random: for each size, `draws` of them.

    The sets of one draw are the beginnings of one permutation, as those of a ranking are, so that a draw is a curve.
    """
    random = np.random.default_rng(seed)
    shuffled = [random.permutation(units).tolist() for _ in range(draws)]
    return [[order[:size] for order in shuffled] for size in sizes]


def band(values: NDArray[np.float64], level: float = LEVEL) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends of the middle `level` of the draws: (draws, ...) -> (...) each."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high
