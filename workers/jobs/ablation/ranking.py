"""From predictions without each unit to what each unit is for: effects, their certainty, and the order of the units."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.analysis.ablation.accuracies import Accuracies, accuracies, class_means, count_changes, differences
from workers.analysis.ablation.accuracies import log_probabilities as of_true_class
from workers.analysis.ablation.certainty import (
    all_class_intervals,
    benjamini_hochberg,
    change_intervals,
    paired_p_values,
)
from workers.analysis.ablation.importance import Moments, order_units
from workers.analysis.ablation.margins import auroc, balanced_accuracy_at, best_threshold, margin
from workers.jobs.ablation.images import EVALUATION, RANKING, SETS, open_sets, units_of, wanted_classes
from workers.jobs.ablation.passing import Swept
from workers.jobs.ablation.scratch import Part
from workers.jobs.ablation.statistics import load_statistics
from workers.jobs.kind import ShardContext
from workers.jobs.labelled import ImageSet
from workers.jobs.stored import Stored
from workers.networks.tails.tail import LOGITS

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Changes(Stored):
    """What removing each unit (K) changes for each class (R) on the images of one set, (K, R) each; none is certain."""

    balanced_accuracy: Figures
    recall: Figures
    true_negative_rate: Figures
    log_probability: Figures


@dataclass(frozen=True)
class Certainty(Stored):
    """How certain the changes on the evaluation images are, (K, R) and for all classes together (K,)."""

    recall_low: Figures
    recall_high: Figures
    true_negative_rate_low: Figures
    true_negative_rate_high: Figures
    accuracy_low: Figures
    accuracy_high: Figures
    known: NDArray[np.bool_]
    """(R,): classes whose intervals say something."""
    p_value: Figures
    p_value_corrected: Figures
    all_class: Figures
    all_class_low: Figures
    all_class_high: Figures
    all_known: NDArray[np.bool_]
    """(): whether every class has the images that an interval takes."""


@dataclass(frozen=True)
class Untouched(Stored):
    """The network as it is, on the evaluation images; (R,) where not said otherwise."""

    images: NDArray[np.int64]
    recall: Figures
    true_negative_rate: Figures
    balanced_accuracy: Figures
    auroc: Figures
    rechosen: Figures
    """Balanced accuracy at the threshold on the class's margin that is best on the ranking images."""
    all_class: Figures
    """(2,): of the ranking and of the evaluation images."""


@dataclass(frozen=True)
class Order(Stored):
    """The classes (R,), by their outputs, and for each the positions of the units, most damaging first (R, K)."""

    classes: NDArray[np.int64]
    order: NDArray[np.int64]
    coactivation: Figures
    """(K, R): correlation of units' peaks with classes' probabilities over the evaluation images."""
    varies: NDArray[np.bool_]
    """(K, R): where there is such a correlation."""


class Ranking:
    """The shard that ranks."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.payload = context, context.payload
        self.sets = open_sets(context)
        self.classes = np.array(wanted_classes(self.sets, "all"), np.int64)
        self.logits = {name: read_logits(context, name) for name in SETS}
        self.count = self.logits[EVALUATION].shape[1]

    def run(self) -> dict[str, Any]:
        """Write what was found, and return the names of the files."""
        prefix = f"{self.context.stage}-{self.context.index}-{self.context.attempt}"
        ranking, evaluation = self._changes(RANKING), self._changes(EVALUATION)
        untouched = self._untouched()
        bundles: dict[str, Stored] = {
            "ranking": ranking,
            "evaluation": evaluation,
            "certainty": self._certainty(),
            "untouched": untouched,
            "order": self._order(ranking),
        }
        for name, bundle in bundles.items():
            self.context.check()
            bundle.save(self.context.scratch / f"{prefix}-{name}.npz")
        return {"ranked": prefix}

    def _swept(self, name: str) -> Swept:
        """What removing the units did to all images of a set."""
        parts = []
        for files in self.payload["swept"][name]:
            blocks = [Swept.load(self.context.scratch / file) for file in files]
            parts.append(_join(blocks, axis=0))
        return _join(parts, axis=1)

    def _changes(self, name: str) -> Changes:
        images, swept = self.sets[name], self._swept(name)
        changes = count_changes(self._before(name), swept.predictions, images.classes, self.count)
        found = differences(changes, self._sizes(name))
        likely = of_true_class(self.logits[name], images.classes).astype(np.float32)
        moved = class_means(swept.log_probabilities - likely, images.classes, self.count)
        columns = (found.balanced_accuracy, found.recall, found.true_negative_rate, moved)
        return Changes(*(column[:, self.classes] for column in columns))

    def _certainty(self) -> Certainty:
        images, sizes = self.sets[EVALUATION], self._sizes(EVALUATION)
        after = self._swept(EVALUATION).predictions
        changes = count_changes(self._before(EVALUATION), after, images.classes, self.count)
        low, high = all_class_intervals(changes, sizes)
        whole = differences(changes, sizes).all_class
        mine = type(changes)(*(getattr(changes, name)[:, self.classes] for name in changes.__dataclass_fields__))
        own, rest = sizes[self.classes], sizes.sum() - sizes[self.classes]
        p = paired_p_values(mine, own, rest)
        intervals = change_intervals(mine, own, rest)
        return Certainty(
            **{name: getattr(intervals, name) for name in intervals.__dataclass_fields__},
            p_value=p,
            p_value_corrected=benjamini_hochberg(p),
            all_class=whole,
            all_class_low=low,
            all_class_high=high,
            all_known=np.asarray((sizes[sizes > 0] > 1).all()),
        )

    def _untouched(self) -> Untouched:
        found = {name: self._accuracies(name) for name in SETS}
        of = found[EVALUATION]
        aurocs, rechosen = zip(
            *(
                threshold_free(self.sets, {name: margin(self.logits[name], c)[None] for name in SETS}, c)
                for c in self.classes.tolist()
            ),
            strict=True,
        )
        return Untouched(
            images=self._sizes(EVALUATION)[self.classes],
            recall=of.recall[0, self.classes],
            true_negative_rate=of.true_negative_rate[0, self.classes],
            balanced_accuracy=of.balanced_accuracy[0, self.classes],
            auroc=np.concatenate(aurocs),
            rechosen=np.concatenate(rechosen),
            all_class=np.array([found[name].all_class[0] for name in SETS]),
        )

    def _order(self, ranking: Changes) -> Order:
        # equal accuracies are equal changes: the untouched one is the same for all units
        order = order_units(ranking.balanced_accuracy, ranking.log_probability, self.context.job.params["rank_by"])
        moments = self._moments()
        units = units_of(self.context.job.params, moments.units.shape[1])
        pairs = np.ix_(np.array(units), self.classes)
        return Order(self.classes, order, moments.correlation()[pairs], moments.varies()[pairs])

    def _moments(self) -> Moments:
        first, *others = self.payload["collected"][EVALUATION]
        moments = load_statistics(self.context, first).moments
        for part in others:
            moments.merge(load_statistics(self.context, part).moments)
        return moments

    def _accuracies(self, name: str) -> Accuracies:
        return accuracies(self._before(name)[None], self.sets[name].classes, self.count)

    def _before(self, name: str) -> NDArray[np.int64]:
        before: NDArray[np.int64] = self.logits[name].argmax(1)
        return before

    def _sizes(self, name: str) -> NDArray[np.int64]:
        return np.bincount(self.sets[name].classes, minlength=self.count)


def read_logits(context: ShardContext, name: str) -> NDArray[np.float32]:
    """The untouched network's logits on the images of a set, (n, C)."""
    return np.concatenate([Part(context.scratch / part).read(LOGITS) for part in context.payload["collected"][name]])


def threshold_free(
    sets: dict[str, ImageSet], margins: dict[str, NDArray[np.float32]], position: int
) -> tuple[Figures, Figures]:
    """AUROC, and balanced accuracy at a threshold chosen anew, of a class's margins (K, n) of each set: (K,), (K,).

    The threshold is the best one on the ranking images; both figures are of the evaluation images.
    """
    is_class = {name: sets[name].classes[None] == position for name in SETS}
    thresholds = best_threshold(margins[RANKING], is_class[RANKING])
    area = auroc(margins[EVALUATION], is_class[EVALUATION])
    return area, balanced_accuracy_at(margins[EVALUATION], is_class[EVALUATION], thresholds)


def _join(parts: list[Swept], axis: int) -> Swept:
    return Swept(
        np.concatenate([part.predictions for part in parts], axis),
        np.concatenate([part.log_probabilities for part in parts], axis),
    )
