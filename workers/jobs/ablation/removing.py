"""Removing sets of units: what is left of their class, or of all classes where the set is a random one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.analysis.ablation.accuracies import accuracies, count_changes
from workers.analysis.ablation.certainty import contributions
from workers.analysis.ablation.importance import random_sets
from workers.analysis.ablation.margins import margin, margins
from workers.jobs.ablation.images import EVALUATION, SETS, units_of, wanted_classes
from workers.jobs.ablation.passing import Passing
from workers.jobs.ablation.plan import ALL_BUT, LEAST, MOST, ORDERS, RANDOM, Removal, removals
from workers.jobs.ablation.ranking import Order, read_logits, threshold_free
from workers.jobs.ablation.scratch import Part
from workers.jobs.kind import ShardContext
from workers.jobs.stored import Stored


@dataclass(frozen=True)
class Removed(Stored):
    """What the sets of a shard did, on the evaluation images.

    P sets of units in the order of one class, Q random ones, W classes asked for, G groups of one size and order.
    """

    own: NDArray[np.int64]
    """(P,): positions among the job's removals."""
    own_changes: NDArray[np.int64]
    """(P, 4): images lost, gained, raised, ended by the class."""
    own_all_class: NDArray[np.float64]
    own_auroc: NDArray[np.float64]
    own_rechosen: NDArray[np.float64]
    random: NDArray[np.int64]
    """(Q,): positions among the job's removals."""
    random_balanced_accuracy: NDArray[np.float64]
    """(Q, W), as the next two but one."""
    random_all_class: NDArray[np.float64]
    random_auroc: NDArray[np.float64]
    random_rechosen: NDArray[np.float64]
    groups: NDArray[np.int64]
    """(G, 2): position of the size, position of the order."""
    contributions: NDArray[np.float64]
    """(G, n): what each image contributes to the sum over the shard's classes of their changes."""


class Removing(Passing):
    """A shard that removes sets of units."""

    def __init__(self, context: ShardContext) -> None:
        super().__init__(context)
        params = context.job.params
        self.ranked = Order.load(context.scratch / f"{self.payload['ranked']}-order.npz")
        self.units = units_of(params, self.tail.units)
        self.sizes = list(range(1, len(self.units))) if params["sizes"] == "all" else params["sizes"]
        self.wanted = wanted_classes(self.sets, params["classes"])
        self.random = random_sets(self.units, self.sizes)
        draws = len(self.random[0])
        everything = removals(len(self.sizes), len(self.wanted), draws)
        self.removals = everything[self.payload["start"] : self.payload["stop"]]

    def run(self) -> dict[str, Any]:
        """Remove the shard's sets from the images of both sets and say what became of the classes."""
        seen = [_Seen(removal, self) for removal in self.removals]
        for name in SETS:
            self._look(name, seen)
        own = [(place, found) for place, found in enumerate(seen) if found.removal.order != RANDOM]
        random = [(place, found) for place, found in enumerate(seen) if found.removal.order == RANDOM]
        before = read_logits(self.context, EVALUATION).argmax(1)
        groups, sums = self._contributions([found for _, found in own], before)
        Removed(
            **self._own([found for _, found in own], before),
            **self._at_random([found for _, found in random]),
            own=self._positions([place for place, _ in own]),
            random=self._positions([place for place, _ in random]),
            groups=groups,
            contributions=sums,
        ).save(self.context.scratch / f"{self.name}.npz")
        return {"removed": f"{self.name}.npz"}

    def set_of(self, removal: Removal) -> list[int]:
        """The units of a removal."""
        size = self.sizes[removal.size]
        if removal.order == RANDOM:
            return self.random[removal.size][removal.number]
        (row,) = np.flatnonzero(self.ranked.classes == self.wanted[removal.number])
        order = self.ranked.order[row]
        chosen = {MOST: order[:size], LEAST: order[len(order) - size :], ALL_BUT: order[size:]}[removal.order]
        return [self.units[position] for position in chosen.tolist()]

    def _positions(self, places: Sequence[int]) -> NDArray[np.int64]:
        start: int = self.payload["start"]
        return np.array(places, np.int64) + start

    def _look(self, name: str, seen: Sequence["_Seen"]) -> None:
        """Remove every set from every image of a set."""
        conditions = [self.set_of(found.removal) for found in seen]
        start = 0
        for part in self.payload["collected"][name]:
            for _, block in self.blocks(Part(self.context.scratch / part)):
                untouched = block.logits.cpu().numpy()
                for place, rows, logits in block.run(conditions):
                    self.context.check()
                    after = untouched.copy()
                    after[rows.cpu().numpy()] = logits.cpu().numpy()
                    seen[place].add(name, start, after)
                start += len(untouched)

    def _own(self, seen: Sequence["_Seen"], before: NDArray[np.int64]) -> dict[str, Any]:
        images, count = self.sets[EVALUATION], self.network_outputs
        changes = np.zeros((len(seen), 4), np.int64)
        areas, rechosen, whole = (np.zeros(len(seen)) for _ in range(3))
        for place, found in enumerate(seen):
            position = self.wanted[found.removal.number]
            after = found.predictions[EVALUATION][None]
            counted = count_changes(before, after, images.classes, count)
            changes[place] = [values[0, position] for values in vars(counted).values()]
            whole[place] = accuracies(after, images.classes, count).all_class[0]
            (areas[place],), (rechosen[place],) = threshold_free(
                self.sets, {name: found.margins[name][None] for name in SETS}, position
            )
        return {"own_changes": changes, "own_all_class": whole, "own_auroc": areas, "own_rechosen": rechosen}

    def _at_random(self, seen: Sequence["_Seen"]) -> dict[str, Any]:
        images, count = self.sets[EVALUATION], self.network_outputs
        areas, rechosen, balanced = (np.zeros((len(seen), len(self.wanted))) for _ in range(3))
        whole = np.zeros(len(seen))
        for place, found in enumerate(seen):
            of = accuracies(found.predictions[EVALUATION][None], images.classes, count)
            balanced[place], whole[place] = of.balanced_accuracy[0, self.wanted], of.all_class[0]
            for column, position in enumerate(self.wanted):
                mine = {name: found.margins[name][:, column][None] for name in SETS}
                (areas[place, column],), (rechosen[place, column],) = threshold_free(self.sets, mine, position)
        return {
            "random_balanced_accuracy": balanced,
            "random_all_class": whole,
            "random_auroc": areas,
            "random_rechosen": rechosen,
        }

    def _contributions(
        self, seen: Sequence["_Seen"], before: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        classes = self.sets[EVALUATION].classes
        sums: dict[tuple[int, int], NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(classes)))
        for found in seen:
            position = self.wanted[found.removal.number]
            group = found.removal.size, ORDERS.index(found.removal.order)
            sums[group] += contributions(before, found.predictions[EVALUATION], classes, position, self.network_outputs)
        groups = np.array([*sums], np.int64).reshape(-1, 2)
        return groups, np.array([*sums.values()]).reshape(-1, len(classes))

    @property
    def network_outputs(self) -> int:
        """Outputs of the network."""
        return int(read_logits(self.context, EVALUATION).shape[1])


class _Seen:
    """What the images of both sets were taken for with one set of units removed."""

    def __init__(self, removal: Removal, shard: Removing) -> None:
        self.removal, self._wanted = removal, shard.wanted
        sizes = {name: len(shard.sets[name].indices) for name in SETS}
        self.predictions = {name: np.zeros(images, np.int32) for name, images in sizes.items()}
        columns = (len(shard.wanted),) if removal.order == RANDOM else ()
        self.margins = {name: np.zeros((images, *columns), np.float32) for name, images in sizes.items()}

    def add(self, name: str, start: int, logits: NDArray[np.float32]) -> None:
        """Take in the logits (b, C) of some images of a set."""
        rows = slice(start, start + len(logits))
        self.predictions[name][rows] = logits.argmax(1)
        if self.removal.order == RANDOM:
            self.margins[name][rows] = margins(logits)[:, self._wanted]
        else:
            self.margins[name][rows] = margin(logits, self._wanted[self.removal.number])
