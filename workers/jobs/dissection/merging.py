"""From the measured blocks to what a team queries: labels, rows, the dense matrix, the chart of each layer."""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import concept_ids, layer_ids
from service.results.queries import LabelResult, LayerResult, UnitResult, write_dissection
from workers.analysis.intersections import Counts, iou
from workers.analysis.labels import Chart, best_concepts, chart, detectors, notable_pairs
from workers.jobs.dissection.measuring import Block
from workers.jobs.dissection.plan import parts_of
from workers.jobs.dissection.scratch import Part
from workers.jobs.kind import FinishedStage, ShardContext

NPY_TYPE = "application/x-npy"
JPEG_TYPE = "image/jpeg"


class Merging:
    """A finished dissection on its way into the database."""

    def __init__(self, context: ShardContext, finished: Sequence[FinishedStage]) -> None:
        self.context, self.finished = context, finished
        prepared = finished[0].results[0]
        self.concepts: list[tuple[str, str]] = [(category, name) for category, name in prepared["concepts"]]
        self.images: int = prepared["selected"]
        parts = [Part(context.scratch / part) for part in parts_of(finished)]
        self.totals: NDArray[np.int64] = np.sum([part.totals for part in parts], axis=0)
        self.artifacts: list[tuple[str, int, str]] = []

    def write(self, session: Session) -> dict[str, Any]:
        """Write every layer's rows and return the job's summary."""
        job = self.context.job
        ids = concept_ids(session, job.team_id, self.concepts)
        assert job.model_id is not None
        layers = layer_ids(session, job.model_id)
        results, summaries = [], []
        for position, name in enumerate(job.params["layers"]):
            result, summary = self._layer(position, layers[name], ids)
            results.append(result)
            summaries.append({"layer": name, **summary})
        record_artifacts(session, job.team_id, self.artifacts)
        write_dissection(session, job, results)
        concepts = [{"category": category, "name": name} for category, name in self.concepts]
        return {"images": self.images, "grid": job.params["grid"], "concepts": concepts, "layers": summaries}

    def _layer(self, position: int, layer_id: int, ids: Sequence[int]) -> tuple[LayerResult, dict[str, Any]]:
        block, rows = self._gather(position)
        counts = Counts(block.areas, self.totals, block.intersections)
        scores = iou(counts)
        labels = best_concepts(scores, block.alive)
        detects = detectors(scores, labels, self.context.job.params["cutoff"])
        matrix = self._store_matrix(scores)
        result = LayerResult(
            layer_id=layer_id,
            grid=self.context.job.params["grid"],
            samples=self.images * self.context.job.params["grid"] ** 2,
            iou_artifact=matrix,
            units=self._units(block, counts, scores, rows, ids),
        )
        return result, _summarize(block, chart(labels, detects, self.concepts), scores, matrix)

    def _gather(self, position: int) -> tuple[Block, dict[int, dict[str, Any]]]:
        """All of a layer's units in order, from the blocks that measured them."""
        names = [
            result["block"]
            for stage in self.finished
            if stage.name == "measure"
            for payload, result in zip(stage.payloads, stage.results, strict=True)
            if payload["layer"] == position
        ]
        rows: dict[int, dict[str, Any]] = {}
        for name in names:
            texts = json.loads((self.context.scratch / f"{name}.json").read_text())
            rows |= {int(unit): row for unit, row in texts.items()}
        return Block.join([Block.load(self.context.scratch / f"{name}.npz") for name in names]), rows

    def _units(
        self,
        block: Block,
        counts: Counts,
        scores: NDArray[np.float64],
        rows: dict[int, dict[str, Any]],
        ids: Sequence[int],
    ) -> list[UnitResult]:
        labels = _labels(counts, scores, block.alive, ids)
        units = []
        for place, unit in enumerate(block.units.tolist()):
            picture = rows[unit]["picture"]
            if picture:
                self.artifacts.append((picture["digest"], picture["size"], JPEG_TYPE))
            units.append(
                UnitResult(
                    index=unit,
                    threshold=float(block.thresholds[place]),
                    active=int(block.areas[place]),
                    peak=float(block.peaks[place]),
                    labels=labels[place],
                    top_images=rows[unit]["top_images"],
                    picture=picture["digest"] if picture else None,
                )
            )
        return units

    def _store_matrix(self, scores: NDArray[np.float64]) -> str:
        buffer = io.BytesIO()
        np.save(buffer, scores.astype(np.float32), allow_pickle=False)
        digest = self.context.store.put(buffer.getvalue())
        self.artifacts.append((digest, len(buffer.getvalue()), NPY_TYPE))
        return digest


def _labels(
    counts: Counts, scores: NDArray[np.float64], living: NDArray[np.bool_], ids: Sequence[int]
) -> list[list[LabelResult]]:
    """The rows of each unit, best first; of equals the lower concept index first."""
    pairs: list[list[int]] = [[] for _ in scores]
    for unit, concept in zip(*(side.tolist() for side in notable_pairs(scores, living)), strict=True):
        pairs[unit].append(concept)
    union = counts.areas[:, None] + counts.totals - counts.intersections
    return [
        [
            LabelResult(
                ids[concept],
                rank,
                float(scores[unit, concept]),
                int(counts.intersections[unit, concept]),
                int(union[unit, concept]),
            )
            for rank, concept in enumerate(sorted(concepts, key=lambda c: (-scores[unit, c], c)), start=1)
        ]
        for unit, concepts in enumerate(pairs)
    ]


def _summarize(block: Block, found: Chart, scores: NDArray[np.float64], matrix: str) -> dict[str, Any]:
    best = np.where(block.alive, scores.max(axis=1, initial=0), 0)
    return {
        "units": len(block.units),
        "dead_units": int((~block.alive).sum()),
        "detectors": sum(bar.units for bar in found.bars),
        "mean_best_iou": float(best.mean()),
        "distinct": found.distinct,
        "chart": [{"category": bar.category, "concept": bar.concept, "units": bar.units} for bar in found.bars],
        "iou_artifact": matrix,
    }
