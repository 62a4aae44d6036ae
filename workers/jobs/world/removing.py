"""What removing units of the classifier's last layer does to its classes.

The same figures as a job of the kind `ablation` finds, from the peaks alone: they are all that the read-out sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workers.analysis.ablation.accuracies import accuracies, class_means, log_probabilities
from workers.analysis.ablation.certainty import contributions, mean_interval
from workers.analysis.ablation.importance import band, importance, order_units, random_sets
from workers.analysis.ablation.margins import auroc, balanced_accuracy_at, best_threshold, margins
from workers.scenes.renderer import SCENES

SIZES = (4, 10, 20)
"""How many of a class's most important units are removed."""
KEPT = 20
"""How many are kept where all others are removed."""
C = len(SCENES)
FIGURES = ("balanced_accuracy", "rechosen", "auroc")


@dataclass(frozen=True)
class Peaks:
    """Images as the read-out sees them: the peak of each unit on each (n, U), and their classes (n,)."""

    peaks: Tensor
    classes: NDArray[np.int64]

    @torch.inference_mode()
    def logits(self, read_out: nn.Linear, removed: Sequence[int] = ()) -> NDArray[np.float32]:
        """Logits (n, C) without some units: with a map of 0 a unit's peak is 0."""
        kept = self.peaks.clone()
        kept[:, list(removed)] = 0
        found: NDArray[np.float32] = read_out(kept).cpu().numpy()
        return found


@dataclass(frozen=True)
class Judged:
    """How well each class is told from the rest under K conditions, on n evaluation images.

    Attributes
    ----------
    balanced_accuracy : (K, C) float64
        Under the argmax.
    rechosen : (K, C) float64
        Balanced accuracy at the threshold on the class's margin that is best on the ranking images.
    auroc : (K, C) float64
    all_class : (K,) float64
    predictions : (K, n) int64
    called : (K, C, n) bool
        Whether the class's margin is above the threshold chosen anew.
    """

    balanced_accuracy: NDArray[np.float64]
    rechosen: NDArray[np.float64]
    auroc: NDArray[np.float64]
    all_class: NDArray[np.float64]
    predictions: NDArray[np.int64]
    called: NDArray[np.bool_]


@dataclass(frozen=True)
class Range:
    """A figure with the two ends of its interval or band."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """What one kind of removal does, as means over the classes; of random units with the band of their draws.

    The changes of balanced accuracy are of the class that the units were chosen for; `others` is that of all others.
    """

    change: Range
    rechosen: Range
    auroc: float
    others: float
    all_class: float


@dataclass(frozen=True)
class Removals:
    """All that removing units of one network did.

    Attributes
    ----------
    untouched : dict of str to float
        Means over the classes of FIGURES, and the all-class accuracy.
    most, random : list of Outcome
        For each of SIZES.
    kept, kept_random : Outcome
        All but the KEPT most important ones removed, and all but as many random ones.
    importance : (U,) int64
        Classes that have the unit among their four most damaging.
    """

    untouched: dict[str, float]
    most: list[Outcome]
    random: list[Outcome]
    kept: Outcome
    kept_random: Outcome
    importance: NDArray[np.int64]


def remove(read_out: nn.Linear, ranking: Peaks, evaluation: Peaks) -> Removals:
    """Rank the units for each class on the ranking images; remove them in sets and judge on the evaluation images."""
    order, units = rank(read_out, ranking), read_out.in_features
    draws = random_sets(range(units), (*SIZES, units - KEPT))
    before = judge(read_out, ranking, evaluation, [[]])

    def chosen(sets: Sequence[Sequence[int]]) -> Outcome:
        return _of_chosen(before, judge(read_out, ranking, evaluation, sets), evaluation.classes)

    def at_random(sets: Sequence[Sequence[int]]) -> Outcome:
        return _of_random(before, judge(read_out, ranking, evaluation, sets))

    return Removals(
        untouched={name: float(getattr(before, name).mean()) for name in (*FIGURES, "all_class")},
        most=[chosen([row[:size] for row in order.tolist()]) for size in SIZES],
        random=[at_random(sets) for sets in draws[:-1]],
        kept=chosen([row[KEPT:] for row in order.tolist()]),
        kept_random=at_random(draws[-1]),
        importance=importance(order),
    )


def rank(read_out: nn.Linear, ranking: Peaks) -> NDArray[np.int64]:
    """Order the units for each class by what it is left with when each alone is removed, (C, U)."""
    left = [ranking.logits(read_out, [unit]) for unit in range(read_out.in_features)]
    predictions = np.stack([logits.argmax(1) for logits in left])
    likely = np.stack([log_probabilities(logits, ranking.classes) for logits in left])
    balanced = accuracies(predictions, ranking.classes, C).balanced_accuracy
    return order_units(balanced, class_means(likely, ranking.classes, C), "balanced_accuracy")


def judge(read_out: nn.Linear, ranking: Peaks, evaluation: Peaks, conditions: Sequence[Sequence[int]]) -> Judged:
    """Tell all classes apart without each of K sets of units."""
    found = [_judge(read_out, ranking, evaluation, units) for units in conditions]
    rechosen, areas, called, predictions = (np.stack(column) for column in zip(*found, strict=True))
    of = accuracies(predictions, evaluation.classes, C)
    return Judged(of.balanced_accuracy, rechosen, areas, of.all_class, predictions, called)


def _judge(
    read_out: nn.Linear, ranking: Peaks, evaluation: Peaks, removed: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    logits = evaluation.logits(read_out, removed)
    own, unseen = _is_class(ranking.classes), _is_class(evaluation.classes)  # (C, n)
    scores = margins(logits).T
    levels = best_threshold(margins(ranking.logits(read_out, removed)).T, own)
    rechosen = balanced_accuracy_at(scores, unseen, levels)
    return rechosen, auroc(scores, unseen), scores > levels[:, None], logits.argmax(1)


def _is_class(classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    own: NDArray[np.bool_] = classes == np.arange(C)[:, None]
    return own


def _of_chosen(before: Judged, after: Judged, classes: NDArray[np.int64]) -> Outcome:
    """What became of each class without its own set of units, of as many sets as there are classes."""
    own = {name: getattr(after, name).diagonal() - getattr(before, name)[0] for name in FIGURES}
    rest = (after.balanced_accuracy - before.balanced_accuracy)[~np.eye(C, dtype=bool)]
    return Outcome(
        change=_mean_change(own["balanced_accuracy"], _argmax_shares(before, after, classes), classes),
        rechosen=_mean_change(own["rechosen"], _rechosen_shares(before, after, classes), classes),
        auroc=float(own["auroc"].mean()),
        others=float(rest.mean()),
        all_class=float(after.all_class.mean()),
    )


def _mean_change(
    changes: NDArray[np.float64], shares: Iterator[NDArray[np.float64]], classes: NDArray[np.int64]
) -> Range:
    (low,), (high,) = mean_interval(sum(shares, np.zeros(len(classes)))[None] / C, classes)
    return Range(float(changes.mean()), float(low), float(high))


def _argmax_shares(before: Judged, after: Judged, classes: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    """For each class, what each image adds to its change."""
    for c in range(C):
        yield contributions(before.predictions[0], after.predictions[c], classes, c, C)


def _rechosen_shares(before: Judged, after: Judged, classes: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    for c in range(C):
        was, now = (np.where(called, c, -1) for called in (before.called[0, c], after.called[c, c]))
        yield contributions(was, now, classes, c, C)


def _of_random(before: Judged, after: Judged) -> Outcome:
    """What became of the classes in each draw, of as many sets as there are draws."""
    changes = {name: (getattr(after, name) - getattr(before, name)).mean(axis=1) for name in FIGURES}  # (draws,)
    return Outcome(
        change=_band(changes["balanced_accuracy"]),
        rechosen=_band(changes["rechosen"]),
        auroc=float(changes["auroc"].mean()),
        others=float(changes["balanced_accuracy"].mean()),
        all_class=float(after.all_class.mean()),
    )


def _band(draws: NDArray[np.float64]) -> Range:
    low, high = band(draws)
    return Range(float(draws.mean()), float(low), float(high))
