"""From the measured blocks to what a team queries: labels, rows, the dense matrix, the chart of each layer."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import concept_ids, layer_ids
from service.jobs.estimates import PERMUTATION
from service.results.queries import LayerResult, UnitResult, write_dissection
from workers.jobs.dissection.blocks import Block
from workers.jobs.dissection.found import Found
from workers.jobs.dissection.layer_scores import LayerScores
from workers.jobs.dissection.plan import blocks_of, parts_of
from workers.jobs.dissection.scratch import Part
from workers.jobs.dissection.views import views_of
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
        self.totals: NDArray[np.int64] = np.sum([part.totals.sum(axis=0, dtype=np.int64) for part in parts], axis=0)
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
            summaries.append({"layer": name, **summary, "controls": self._second_views(name) | summary["controls"]})
        record_artifacts(session, job.team_id, self.artifacts)
        write_dissection(session, job, results)
        concepts = [{"category": category, "name": name} for category, name in self.concepts]
        return {"images": self.images, "grid": job.params["grid"], "concepts": concepts, "layers": summaries}

    def _layer(self, position: int, layer_id: int, ids: Sequence[int]) -> tuple[LayerResult, dict[str, Any]]:
        job = self.context.job
        found = Found(self._block(position), self.totals, job.params["cutoff"], self.concepts)
        scores = self._scores(position)
        matrix = self._store_matrix(found.iou)
        result = LayerResult(
            layer_id=layer_id,
            grid=job.params["grid"],
            samples=self.images * job.params["grid"] ** 2,
            iou_artifact=matrix,
            units=self._units(found, scores, self._shown(position), ids),
        )
        chance = scores.permutation(found.best, job.params["cutoff"])
        controls = {} if chance is None else {PERMUTATION: chance}
        return result, found.summary() | {"iou_artifact": matrix, "controls": controls}

    def _second_views(self, layer: str) -> dict[str, Any]:
        """The figures of a layer's views under the controls that saw the images anew."""
        cutoff = self.context.job.params["cutoff"]
        return {
            view.control: Found(self._block(position), self.totals, cutoff, self.concepts).summary()
            for position, view in enumerate(views_of(self.context.job.params))
            if view.layer == layer and view.control is not None
        }

    def _block(self, position: int) -> Block:
        """All units of a view, in order."""
        names = blocks_of(self.finished, position)
        return Block.join([Block.load(self.context.scratch / f"{name}.npz") for name in names])

    def _shown(self, position: int) -> dict[int, dict[str, Any]]:
        """Pictures and top images of a layer's units, from the shards that measured them."""
        rows: dict[int, dict[str, Any]] = {}
        for name in blocks_of(self.finished, position):
            texts = json.loads((self.context.scratch / f"{name}.json").read_text())
            rows |= {int(unit): row for unit, row in texts.items()}
        return rows

    def _scores(self, position: int) -> LayerScores:
        stage = self.finished[-1]
        of = zip(stage.payloads, stage.results, strict=True)
        return LayerScores(
            self.context.scratch, [result["scores"] for payload, result in of if payload["view"] == position]
        )

    def _units(
        self, found: Found, scores: LayerScores, shown: Mapping[int, dict[str, Any]], ids: Sequence[int]
    ) -> list[UnitResult]:
        labels = found.labels_of(ids, scores)
        block = found.block
        units = []
        for place, unit in enumerate(block.units.tolist()):
            picture = shown[unit]["picture"]
            if picture:
                self.artifacts.append((picture["digest"], picture["size"], JPEG_TYPE))
            units.append(
                UnitResult(
                    index=unit,
                    threshold=float(block.thresholds[place]),
                    active=int(block.areas[place]),
                    peak=float(block.peaks[place]),
                    labels=labels[place],
                    histogram=scores.histograms.get(unit),
                    top_images=shown[unit]["top_images"],
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
