"""What a view's units detect, from their counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.results.queries import LabelResult
from workers.analysis.intersections import Counts, iou
from workers.analysis.labels import best_concepts, chart, detectors, notable_pairs
from workers.jobs.dissection.blocks import Block
from workers.jobs.dissection.layer_scores import LayerScores


class Found:
    """The units of a view, all in order, against all concepts."""

    def __init__(
        self, block: Block, totals: NDArray[np.int64], cutoff: float, concepts: Sequence[tuple[str, str]]
    ) -> None:
        self.block, self.concepts = block, concepts
        self.counts = Counts(block.areas, totals, block.intersections)
        self.iou = iou(self.counts)
        self.labels = best_concepts(self.iou, block.alive)
        self.detects = detectors(self.iou, self.labels, cutoff)
        self.best: NDArray[np.float64] = np.where(self.labels >= 0, self.iou.max(axis=1, initial=0), 0)

    def summary(self) -> dict[str, Any]:
        """The view's figures and its chart."""
        found = chart(self.labels, self.detects, self.concepts)
        return {
            "units": len(self.block.units),
            "dead_units": int((~self.block.alive).sum()),
            "detectors": int(self.detects.sum()),
            "mean_best_iou": float(self.best.mean()),
            "distinct": found.distinct,
            "chart": [{"category": bar.category, "concept": bar.concept, "units": bar.units} for bar in found.bars],
        }

    def labels_of(self, ids: Sequence[int], scores: LayerScores) -> list[list[LabelResult]]:
        """The rows of each unit, best first; of equals the lower concept index first. `ids` are the concepts'."""
        pairs: list[list[int]] = [[] for _ in self.block.units]
        for unit, concept in zip(*(side.tolist() for side in notable_pairs(self.iou, self.block.alive)), strict=True):
            pairs[unit].append(concept)
        return [self._rows(unit, concepts, ids, scores) for unit, concepts in enumerate(pairs)]

    def _rows(self, unit: int, concepts: list[int], ids: Sequence[int], scores: LayerScores) -> list[LabelResult]:
        ranked = sorted(concepts, key=lambda concept: (-self.iou[unit, concept], concept))
        return [self._row(unit, concept, rank, ids, scores) for rank, concept in enumerate(ranked, start=1)]

    def _row(self, unit: int, concept: int, rank: int, ids: Sequence[int], scores: LayerScores) -> LabelResult:
        ratio = float(self.iou[unit, concept])
        shared = int(self.counts.intersections[unit, concept])
        either = int(self.counts.areas[unit] + self.counts.totals[concept]) - shared
        return LabelResult(
            ids[concept], rank, ratio, shared, either, **scores.of(unit, concept, ratio, label=rank == 1)
        )
