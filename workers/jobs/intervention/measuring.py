"""The shard that measures: every set of units changed on some latents, and what became of the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from service.results.interventions.tables import EACH_CELL
from workers.analysis.interventions.pixels import at_centres, concept_pixels, replacements, shows
from workers.jobs.intervention.changing import Changing, Drawn, Levels
from workers.jobs.intervention.features import Features
from workers.jobs.intervention.plan import own_edits, random_edits
from workers.jobs.kind import ShardContext
from workers.jobs.stored import Stored
from workers.networks.tails.resuming import Kept

PICTURES: Mapping[str, int] = {"before": 0, "after": 1, "alone": 1, "features": 1, "at_cells": 1, "centres": 0}
"""The axis of the pictures in each of the arrays that have one; the others are summed."""


@dataclass(frozen=True)
class Measured(Stored):
    """What became of n pictures; C concepts, S sets of the orders, R random ones, K units alone, D features.

    Changes at each cell are summed over the h * w cells. What was not asked for is empty.

    Attributes
    ----------
    before : (n, C) int64
    after : (S, n, C) int64
    random : (R, C) int64
        Over all of the pictures.
    alone : (K, n) int64
        Of the target.
    replaced : (S, C) int64
        What the pixels show that lost the target.
    features : (1 + S, n, D) float32
        Of the untouched pictures, and of each set's.
    at_cells : (S, n, h, w) int64
        Change of the target's pixels by a change at each cell.
    centres : (n, channels, h, w) uint16
        Labels at the cells' centres, untouched.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    random: NDArray[np.int64]
    alone: NDArray[np.int64]
    replaced: NDArray[np.int64]
    features: NDArray[np.float32]
    at_cells: NDArray[np.int64]
    centres: NDArray[np.uint16]

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The pictures of all parts, in their order."""
        return cls(**{field.name: _join(field.name, parts) for field in fields(cls)})


def _join(name: str, parts: Sequence[Measured]) -> NDArray[Any]:
    arrays = [getattr(part, name) for part in parts]
    return np.concatenate(arrays, axis=PICTURES[name]) if name in PICTURES else np.sum(arrays, axis=0)


class _Effect(NamedTuple):
    """What a set of units did to n pictures: the fields of `Measured` for one set."""

    after: NDArray[np.int64]
    replaced: NDArray[np.int64]
    features: NDArray[np.float32]
    at_cells: NDArray[np.int64]


class Measuring(Changing):
    """A shard that measures."""

    def __init__(self, context: ShardContext) -> None:
        super().__init__(context, context.payload["layer"])
        file = self.payload["levels"]
        self.levels = None if file is None else Levels.load(context.scratch / file)
        self.sizes: list[int] = self.params["sizes"][self.layer]
        self.sets = own_edits(self.payload["orders"], self.sizes)
        self.each_cell = self.params["where"] == EACH_CELL
        self.features = Features(context)

    def run(self) -> dict[str, Any]:
        """Measure, and keep the counts of every picture."""
        batches = self.kept(self.params["latents"], self.places)
        Measured.join([self._measure(kept) for kept in batches]).save(self.context.scratch / f"{self.name}.npz")
        return {"measured": f"{self.name}.npz"}

    def _measure(self, kept: Kept) -> Measured:
        """All that is done to the latents of a batch; the front of the network has run once for it."""
        maps = self.halves.maps(kept)
        untouched = self.draw(kept, maps)
        effects = [self._change(kept, maps, untouched, edit.units) for edit in self.sets]
        after, replaced, features, at_cells = (np.stack(found) for found in zip(*effects, strict=True))
        return Measured(
            before=concept_pixels(untouched.labels, self.concepts),
            after=after,
            random=self._at_random(kept, maps),
            alone=self._alone(kept, maps),
            replaced=replaced,
            features=np.concatenate([self._features(untouched)[None], features]),
            at_cells=at_cells,
            centres=at_centres(untouched.labels, *(maps.shape[2:] if self.each_cell else (0, 0))),
        )

    def _change(self, kept: Kept, maps: Tensor, untouched: Drawn, units: Sequence[int]) -> _Effect:
        """Change a set of units wherever it is to be changed."""
        after = np.zeros((len(maps), self.concepts), np.int64)
        replaced, cells = np.zeros(self.concepts, np.int64), []
        for area in self.areas(*maps.shape[2:]):
            drawn = self.draw(kept, self.change(maps, units, self.levels, area))
            after += concept_pixels(drawn.labels, self.concepts)
            if self.target is not None:
                replaced += replacements(untouched.labels, drawn.labels, self.target, self.concepts)
            if self.each_cell:
                cells.append(self._target_pixels(drawn) - self._target_pixels(untouched))
        shape = (len(maps), *maps.shape[2:]) if self.each_cell else (len(maps), 0, 0)
        at_cells = np.array(cells, np.int64).reshape(-1, len(maps)).T.reshape(shape)
        return _Effect(after, replaced, self._features(drawn), at_cells)

    def _target_pixels(self, drawn: Drawn) -> NDArray[np.int64]:
        """Pixels of the target in each picture (n,)."""
        assert self.target is not None
        pixels: NDArray[np.int64] = shows(drawn.labels, self.target).sum(axis=(1, 2), dtype=np.int64)
        return pixels

    def _features(self, drawn: Drawn) -> NDArray[np.float32]:
        """Features (n, D); none where pictures differ at one cell at a time."""
        return np.zeros((len(drawn.pictures), 0), np.float32) if self.each_cell else self.features.of(drawn.pictures)

    def _at_random(self, kept: Kept, maps: Tensor) -> NDArray[np.int64]:
        """Pixels (R, C) with random sets changed."""
        edits = random_edits(maps.shape[1], self.sizes, self.params["random"])
        found = np.zeros((len(edits), self.concepts), np.int64)
        for place, edit in enumerate(edits):
            for area in self.areas(*maps.shape[2:]):
                drawn = self.draw(kept, self.change(maps, edit.units, self.levels, area))
                found[place] += concept_pixels(drawn.labels, self.concepts).sum(axis=0)
        return found

    def _alone(self, kept: Kept, maps: Tensor) -> NDArray[np.int64]:
        """Pixels (K, n) of the target with each unit changed alone; not at each cell."""
        if self.target is None or self.each_cell:
            return np.zeros((0, len(maps)), np.int64)
        [area] = self.areas(*maps.shape[2:])
        changed = (self.draw(kept, self.change(maps, [unit], self.levels, area)) for unit in self.units)
        return np.stack([self._target_pixels(drawn) for drawn in changed])
