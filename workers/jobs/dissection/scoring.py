"""A block of units scored beyond IoU: how certain it is, whether it could be chance, and units as classifiers."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.jobs.estimates import PERMUTATION
from workers.analysis.bootstrap import HELD_VALUES, iou_intervals
from workers.analysis.controls import permutations, shuffled_iou
from workers.analysis.intersections import Counts, count_by_image, iou
from workers.analysis.labels import best_concepts, notable_pairs
from workers.analysis.presence import SHARE, histogram, presence_scores, rank
from workers.jobs.dissection.blocks import Block, candidates_of
from workers.jobs.dissection.plan import split_images
from workers.jobs.dissection.scratch import Part
from workers.jobs.kind import ShardContext


class Scoring:
    """One shard's block of units; rows of images are in the order of the selection, whichever shard passed them."""

    def __init__(self, context: ShardContext) -> None:
        self.context, payload = context, context.payload
        self.parts = [Part(context.scratch / part) for part in payload["parts"]]
        self.block = Block.load(context.scratch / f"{payload['block']}.npz")
        self.layer = Block.join([Block.load(context.scratch / f"{name}.npz") for name in payload["blocks"]])
        self.candidates = candidates_of(context)
        self.places = {unit: place for place, unit in enumerate(payload["units"])}
        self.cells: int = context.job.params["grid"] ** 2
        self.count = sum(len(part.totals) for part in self.parts)
        self.images = [np.array(shard, np.int64) for shard in split_images(range(self.count))]
        # a picture shows a concept where more than a share of its pixels do, an image of a dataset where any does
        self.floor = int(self.cells * SHARE) if context.job.dataset_id is None else 0
        self.name = f"{context.stage}-{context.index}-{context.attempt}"

    def run(self) -> dict[str, Any]:
        """Score the block and say in which file the scores are."""
        totals = self.totals.sum(axis=0, dtype=np.int64)
        scores = iou(Counts(self.layer.areas, totals, self.layer.intersections))
        pairs, labels = notable_pairs(scores, self.layer.alive), best_concepts(scores, self.layer.alive)
        arrays: dict[str, list[NDArray[Any]]] = {}
        histograms: dict[int, dict[str, Any]] = {}
        for units in self._groups():
            found = self._presence(units, pairs, labels, histograms) | self._certainty(units, labels)
            if PERMUTATION in self.context.job.params["controls"]:
                found |= self._chance(units, totals, scores)
            for name, array in found.items():
                arrays.setdefault(name, []).append(array)
        np.savez(
            self.context.scratch / f"{self.name}.npz",
            allow_pickle=False,
            **{name: np.concatenate(pieces) for name, pieces in arrays.items()},
        )
        (self.context.scratch / f"{self.name}.json").write_text(json.dumps(histograms))
        return {"scores": self.name}

    def _groups(self) -> list[NDArray[np.int64]]:
        """The block's units, as many at a time as the memory should hold values of all images for."""
        size = max(1, HELD_VALUES // self.count)
        return np.split(self.block.units, range(size, len(self.block.units), size))

    def _presence(
        self,
        units: NDArray[np.int64],
        pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
        labels: NDArray[np.int64],
        histograms: dict[int, dict[str, Any]],
    ) -> dict[str, NDArray[Any]]:
        """The pairs that become rows, and how well peaks tell the concept's presence; adds the labels' histograms."""
        mine = np.isin(pairs[0], units)
        pair_units, concepts = pairs[0][mine], pairs[1][mine]
        position = self.context.payload["view"]
        peaks = self._in_order([part.peaks(position)[:, units] for part in self.parts])
        found = presence_scores(rank(peaks), self.totals, np.searchsorted(units, pair_units), concepts, self.floor)
        for place, unit in enumerate(units.tolist()):
            if labels[unit] >= 0:
                histograms[unit] = histogram(peaks[:, place], self.totals[:, labels[unit]] > self.floor)
        return {"pair_units": pair_units, "pair_concepts": concepts, **asdict(found)}

    def _certainty(self, units: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The interval of each unit's IoU with its label; of no meaning for a unit without one."""
        shared = np.zeros((self.count, len(units)), np.int64)
        unions = np.zeros_like(shared)
        for place, unit in enumerate(units.tolist()):
            self.context.check()
            if labels[unit] >= 0:
                shared[:, place], unions[:, place] = self._by_image(unit, labels[unit])
        low, high = iou_intervals(shared, unions)
        return {"units": units, "iou_low": low, "iou_high": high}

    def _chance(
        self, units: NDArray[np.int64], totals: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> dict[str, NDArray[Any]]:
        """What the units score when masks are shuffled: how often at least as much, and the best of each time."""
        reached, best = [], []
        for unit in units.tolist():
            self.context.check()
            shuffled = shuffled_iou(*self._pixels(unit), totals, self.table, permutations(self.count))  # (P, C)
            reached.append((shuffled >= scores[unit]).sum(axis=0))
            best.append(shuffled.max(axis=1, initial=0))
        return {"reached": np.stack(reached), "best": np.stack(best)}

    @cached_property
    def totals(self) -> NDArray[np.uint32]:
        """(n, C) grid cells of each image that carry each concept, in one file of the job."""
        shape = (self.count, self.parts[0].totals.shape[1])
        return self._joined("totals", shape, lambda part: part.totals)

    @cached_property
    def table(self) -> NDArray[np.uint16]:
        """The labels of all images, (n * G * G, channels), in one file of the job to be looked up at random."""
        shape = (self.count, self.cells, self.parts[0].table.shape[1])
        return self._joined("table", shape, lambda part: part.table.reshape(-1, *shape[1:])).reshape(-1, shape[-1])

    def _joined(self, name: str, shape: tuple[int, ...], read: Callable[[Part], NDArray[Any]]) -> NDArray[Any]:
        """What all parts have, in the order of the images, mapped from a file that the first shard writes."""
        file = self.context.scratch / f"{name}.npy"
        if not file.exists():
            unfinished = file.with_name(f"{self.name}-{name}.npy")  # another shard may be at it as well
            joined = np.lib.format.open_memmap(unfinished, "w+", read(self.parts[0]).dtype, shape)
            for part, images in zip(self.parts, self.images, strict=True):
                joined[images] = read(part)
            joined.flush()
            unfinished.replace(file)
        found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        return found

    def _in_order(self, pieces: list[NDArray[Any]]) -> NDArray[Any]:
        joined = np.concatenate(pieces)
        ordered = np.empty_like(joined)
        ordered[np.concatenate(self.images)] = joined
        return ordered

    def _above(self, unit: int) -> list[NDArray[np.uint32]]:
        """Positions of a unit's pixels in each part."""
        threshold = float(self.block.thresholds[np.searchsorted(self.block.units, unit)])
        return [candidates.above(self.places[unit], threshold) for candidates in self.candidates]

    def _by_image(self, unit: int, concept: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each image (n,): pixels that the unit and the concept share, and those of either."""
        shared = np.zeros(self.count, np.int64)
        unions = self.totals[:, concept].astype(np.int64)
        for inside, part, images in zip(self._above(unit), self.parts, self.images, strict=True):
            shared[images], areas = count_by_image(inside, part.table, concept, len(images))
            unions[images] += areas - shared[images]
        return shared, unions

    def _pixels(self, unit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Image, by its place in the selection, and grid cell of each of a unit's pixels."""
        above = self._above(unit)
        images = [mine[inside // self.cells] for mine, inside in zip(self.images, above, strict=True)]
        return np.concatenate(images), (np.concatenate(above) % self.cells).astype(np.int64)
