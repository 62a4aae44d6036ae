"""A block of units scored beyond IoU: how certain it is, whether it could be chance, and units as classifiers."""

import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.jobs.estimates import PERMUTATION
from workers.analysis.bootstrap import iou_intervals, resample
from workers.analysis.controls import permutations, shuffled_iou
from workers.analysis.intersections import Counts, count_by_image, iou
from workers.analysis.labels import best_concepts, notable_pairs
from workers.analysis.presence import histogram, presence_scores, rank
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
        images = sum(len(part.totals) for part in self.parts)
        self.images = [np.array(shard, np.int64) for shard in split_images(range(images))]
        self.totals = self._in_order([part.totals for part in self.parts])  # (n, C)
        self.name = f"{context.stage}-{context.index}-{context.attempt}"

    def run(self) -> dict[str, Any]:
        """Score the block and say in which file the scores are."""
        counts = Counts(self.layer.areas, self.totals.sum(axis=0, dtype=np.int64), self.layer.intersections)
        scores = iou(counts)
        labels = best_concepts(scores, self.layer.alive)[self.block.units]
        arrays: dict[str, Any] = {"units": self.block.units, **self._presence(scores), **self._certainty(labels)}
        if PERMUTATION in self.context.job.params["controls"]:
            arrays |= self._chance(counts.totals, scores)
        np.savez(self.context.scratch / f"{self.name}.npz", **arrays)
        self._describe(labels)
        return {"scores": self.name}

    def _presence(self, scores: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """The pairs that become rows, by unit and concept, and how well peaks tell the concept's presence."""
        units, concepts = notable_pairs(scores, self.layer.alive)
        mine = np.isin(units, self.block.units)
        units, concepts = units[mine], concepts[mine]
        places = np.searchsorted(self.block.units, units)
        found = presence_scores(rank(self.peaks), self.totals > 0, places, concepts)
        return {"pair_units": units, "pair_concepts": concepts, **asdict(found)}

    def _certainty(self, labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The interval of each unit's IoU with its label; of no meaning for a unit without one."""
        shared = np.zeros((len(self.totals), len(labels)), np.int64)
        unions = np.zeros_like(shared)
        for place, concept in enumerate(labels.tolist()):
            self.context.check()
            if concept >= 0:
                shared[:, place], unions[:, place] = self._by_image(place, concept)
        low, high = iou_intervals(resample(len(self.totals)), shared, unions)
        return {"iou_low": low, "iou_high": high}

    def _chance(self, totals: NDArray[np.int64], scores: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """What the units score when masks are shuffled: how often at least as much, and the best of each time."""
        orders = permutations(len(self.totals))
        reached, best = [], []
        for place, unit in enumerate(self.block.units.tolist()):
            self.context.check()
            shuffled = shuffled_iou(*self._pixels(place), totals, self.table, orders)  # (P, C)
            reached.append((shuffled >= scores[unit]).sum(axis=0))
            best.append(shuffled.max(axis=1, initial=0))
        return {"reached": np.stack(reached), "best": np.stack(best, axis=1)}

    def _describe(self, labels: NDArray[np.int64]) -> None:
        """Write the histogram of every unit with a label."""
        rows = {
            unit: histogram(self.peaks[:, place], self.totals[:, concept] > 0)
            for place, (unit, concept) in enumerate(zip(self.block.units.tolist(), labels.tolist(), strict=True))
            if concept >= 0
        }
        (self.context.scratch / f"{self.name}.json").write_text(json.dumps(rows))

    @cached_property
    def peaks(self) -> NDArray[np.float32]:
        """(n, M) peaks of the block's units."""
        position = self.context.payload["view"]
        return self._in_order([part.peaks(position)[:, self.block.units] for part in self.parts])

    @cached_property
    def table(self) -> NDArray[np.uint16]:
        """The labels of all images, (n * G * G, channels), in one file of the job to be looked up at random."""
        file = self.context.scratch / "table.npy"
        if not file.exists():
            self._write_table(file)
        table: NDArray[np.uint16] = np.load(file, mmap_mode="r", allow_pickle=False)
        return table.reshape(-1, table.shape[-1])

    def _write_table(self, file: Path) -> None:
        unfinished = file.with_name(f"{self.name}-table.npy")  # another shard may be at it as well
        channels = self.parts[0].table.shape[1]
        table = np.lib.format.open_memmap(unfinished, "w+", np.uint16, (len(self.totals), self.cells, channels))
        for part, images in zip(self.parts, self.images, strict=True):
            table[images] = part.table.reshape(len(images), self.cells, channels)
        table.flush()
        unfinished.replace(file)

    def _in_order(self, pieces: list[NDArray[Any]]) -> NDArray[Any]:
        joined = np.concatenate(pieces)
        ordered = np.empty_like(joined)
        ordered[np.concatenate(self.images)] = joined
        return ordered

    def _above(self, place: int) -> list[NDArray[np.uint32]]:
        """Positions of a unit's pixels in each part."""
        where, threshold = self.places[int(self.block.units[place])], float(self.block.thresholds[place])
        return [candidates.above(where, threshold) for candidates in self.candidates]

    def _by_image(self, place: int, concept: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each image (n,): pixels that the unit and the concept share, and those of either."""
        shared = np.zeros(len(self.totals), np.int64)
        unions = self.totals[:, concept].astype(np.int64)
        for inside, part, images in zip(self._above(place), self.parts, self.images, strict=True):
            shared[images], areas = count_by_image(inside, part.table, concept, len(images))
            unions[images] += areas - shared[images]
        return shared, unions

    def _pixels(self, place: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Image, by its place in the selection, and grid cell of each of a unit's pixels."""
        above = self._above(place)
        images = [mine[inside // self.cells] for mine, inside in zip(self.images, above, strict=True)]
        return np.concatenate(images), (np.concatenate(above) % self.cells).astype(np.int64)
