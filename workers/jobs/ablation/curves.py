"""Curves over the number of removed units: of each class, and of all classes asked for together."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.analysis.ablation.accuracies import Changes as Counts
from workers.analysis.ablation.certainty import change_intervals, mean_interval
from workers.analysis.ablation.distribution import spread
from workers.analysis.ablation.importance import band
from workers.jobs.ablation.plan import ORDERS, RANDOM, Removal
from workers.jobs.ablation.ranking import Untouched
from workers.jobs.ablation.removing import Removed

FIGURES = ("balanced_accuracy", "all_class_accuracy", "auroc", "rechosen_balanced_accuracy")
Grid = NDArray[np.float64]


class Curves:
    """What the removal of sets left, put in order: by size, order and class, and by size, draw and class.

    Parameters
    ----------
    sizes
        Numbers of units in a set.
    columns
        Positions of the W classes asked for among the R ranked ones.
    everything
        The job's removals, in their order.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        columns: Sequence[int],
        everything: Sequence[Removal],
        removed: Sequence[Removed],
        untouched: Untouched,
        classes: NDArray[np.int64],
    ) -> None:
        self.sizes, self.columns, self.untouched, self.classes = sizes, list(columns), untouched, classes
        draws = 1 + max((removal.number for removal in everything if removal.order == RANDOM), default=-1)
        self.own = {name: np.zeros((len(sizes), len(ORDERS), len(columns))) for name in FIGURES}
        self.counts = np.zeros((len(sizes), len(ORDERS), len(columns), 4), np.int64)
        self.random = {name: np.zeros((len(sizes), draws, len(columns))) for name in FIGURES}
        self.sums = np.zeros((len(sizes), len(ORDERS), len(classes)))
        for shard in removed:
            self._take_own(shard, everything)
            self._take_random(shard, everything)
            for (size, order), sums in zip(shard.groups.tolist(), shard.contributions, strict=True):
                self.sums[size, order] += sums
        self.change, self.low, self.high, self.known = self._changes()
        self.own["balanced_accuracy"] = self._before("balanced_accuracy") + self.change

    def _take_own(self, shard: Removed, everything: Sequence[Removal]) -> None:
        for place, position in enumerate(shard.own.tolist()):
            removal = everything[position]
            where = removal.size, ORDERS.index(removal.order), removal.number
            self.counts[where] = shard.own_changes[place]
            self.own["all_class_accuracy"][where] = shard.own_all_class[place]
            self.own["auroc"][where] = shard.own_auroc[place]
            self.own["rechosen_balanced_accuracy"][where] = shard.own_rechosen[place]

    def _take_random(self, shard: Removed, everything: Sequence[Removal]) -> None:
        for place, position in enumerate(shard.random.tolist()):
            where = everything[position].size, everything[position].number
            self.random["balanced_accuracy"][where] = shard.random_balanced_accuracy[place]
            self.random["all_class_accuracy"][where] = shard.random_all_class[place]
            self.random["auroc"][where] = shard.random_auroc[place]
            self.random["rechosen_balanced_accuracy"][where] = shard.random_rechosen[place]

    def _changes(self) -> tuple[Grid, Grid, Grid, NDArray[np.bool_]]:
        """Changes of each class's balanced accuracy with their intervals (sizes, orders, W); intervals known (W,)."""
        own = self.untouched.images[self.columns]
        rest = len(self.classes) - own
        counts = Counts(*np.moveaxis(self.counts, -1, 0).reshape(4, -1, len(self.columns)))
        intervals = change_intervals(counts, own, rest)
        shape = self.counts.shape[:-1]
        hits, rejected = counts.gained - counts.lost, counts.ended - counts.raised
        change = (hits * rest + rejected * own) / (2 * own * np.maximum(rest, 1))
        return (
            change.reshape(shape),
            intervals.accuracy_low.reshape(shape),
            intervals.accuracy_high.reshape(shape),
            intervals.known,
        )

    def _before(self, name: str) -> Grid:
        """A figure of the untouched network (W,)."""
        of = {
            "balanced_accuracy": self.untouched.balanced_accuracy,
            "auroc": self.untouched.auroc,
            "rechosen_balanced_accuracy": self.untouched.rechosen,
            "all_class_accuracy": np.full(len(self.untouched.images), self.untouched.all_class[1]),
        }
        return of[name][self.columns]

    def of_class(self, column: int) -> dict[str, Any]:
        """The curves of one of the classes asked for, as `AblatedClass.curves` holds them."""
        known = bool(self.known[column])
        orders = {
            name: [self._point(size, order, column, known) for size in range(len(self.sizes))]
            for order, name in enumerate(ORDERS)
        }
        random = [
            {"size": size, **{name: _banded(self.random[name][place, :, column]) for name in FIGURES}}
            for place, size in enumerate(self.sizes)
        ]
        before = {name: float(self._before(name)[column]) for name in FIGURES}
        return {"untouched": before, **orders, RANDOM: random}

    def _point(self, size: int, order: int, column: int, known: bool) -> dict[str, Any]:
        where = size, order, column
        return {
            "size": self.sizes[size],
            "change": float(self.change[where]),
            "change_low": float(self.low[where]) if known else None,
            "change_high": float(self.high[where]) if known else None,
            **{name: float(self.own[name][where]) for name in FIGURES},
        }

    def together(self) -> dict[str, Any]:
        """The means over the classes, with how the classes differ, as the summary holds them."""
        before = {name: float(self._before(name).mean()) for name in FIGURES}
        orders = {
            name: [self._mean_point(size, order) for size in range(len(self.sizes))]
            for order, name in enumerate(ORDERS)
        }
        random = [self._mean_random(place) for place in range(len(self.sizes))]
        return {"sizes": list(self.sizes), "untouched": before, **orders, RANDOM: random}

    def _mean_point(self, size: int, order: int) -> dict[str, Any]:
        low, high = self.mean_intervals[:, size, order].tolist()
        known = bool(self.known.all())
        rechosen = self.own["rechosen_balanced_accuracy"][size, order] - self._before("rechosen_balanced_accuracy")
        return {
            "size": self.sizes[size],
            "change": float(self.change[size, order].mean()),
            "change_low": low if known else None,
            "change_high": high if known else None,
            **{name: float(self.own[name][size, order].mean()) for name in FIGURES},
            "rechosen_change": float(rechosen.mean()),
            "spread": spread(self.change[size, order]),
        }

    @cached_property
    def mean_intervals(self) -> Grid:
        """The ends of the mean changes' intervals, (2, sizes, orders); the same resamples serve all classes."""
        flat = self.sums.reshape(-1, len(self.classes)) / len(self.columns)
        return np.stack(mean_interval(flat, self.classes)).reshape(2, *self.sums.shape[:2])

    def _mean_random(self, place: int) -> dict[str, Any]:
        change = self.random["balanced_accuracy"][place] - self._before("balanced_accuracy")  # (draws, W)
        rechosen = self.random["rechosen_balanced_accuracy"][place] - self._before("rechosen_balanced_accuracy")
        return {
            "size": self.sizes[place],
            "change": _banded(change.mean(axis=1)),
            **{name: _banded(self.random[name][place].mean(axis=1)) for name in FIGURES},
            "rechosen_change": _banded(rechosen.mean(axis=1)),
            "spread": spread(change.mean(axis=0)),
        }


def _banded(draws: NDArray[np.float64]) -> dict[str, float]:
    """Mean over the draws (D,) and the band that holds 90 % of them."""
    low, high = band(draws)
    return {"mean": float(draws.mean()), "low": float(low), "high": float(high)}
