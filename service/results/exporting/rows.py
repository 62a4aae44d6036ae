"""What an export's rows hold: the columns of each kind of rows, and the rows in batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.jobs.tables import Job
from service.results.exporting import queries
from service.results.exporting.queries import ExportedLayer

Row = Sequence[Any]
JSON = object
"""The type of a column of lists and objects, which CSV and Parquet hold as JSON text."""

PLACE: Mapping[str, type] = {"model": str, "layer": str, "unit": int}
CELLS_IN_BATCH = 16_384


@dataclass(frozen=True)
class RowTable:
    """Columns with their types, any of which may be null, and rows in batches that are made as they are asked for."""

    columns: Mapping[str, type]
    batches: Iterator[Sequence[Row]]


@dataclass(frozen=True)
class Source:
    """A succeeded dissection, some of its layers, and where what it found is read."""

    job: Job
    model: str
    layers: Sequence[ExportedLayer]
    sessions: Sessions
    store: ArtifactStore


def labels(source: Source) -> RowTable:
    """A row for each unit and concept that is kept, a unit's best first."""
    types = {name: str if name in ("category", "concept") else float for name in queries.LABEL_COLUMNS}
    whole = dict.fromkeys(("active", "rank", "intersection", "union"), int)
    columns = {**PLACE, **types, **whole, "detector": bool}
    batches = queries.label_batches(source.sessions, source.layers)
    return RowTable(columns, ([(source.model, *row) for row in batch] for batch in batches))


def units(source: Source) -> RowTable:
    """A row for each unit, with the scores of its label."""
    types = {name: str if name in ("category", "concept", "picture") else float for name in queries.UNIT_COLUMNS}
    whole = dict.fromkeys(("active", "intersection", "union"), int)
    columns = {**PLACE, **types, **whole, "detector": bool, "histogram": JSON, "top_images": JSON}
    batches = queries.unit_batches(source.sessions, source.layers)
    return RowTable(columns, ([(source.model, *row) for row in batch] for batch in batches))


def matrix(source: Source) -> RowTable:
    """A row for each unit and concept of the dissection, whether kept among the labels or not."""
    columns = {**PLACE, "category": str, "concept": str, "iou": float}
    concepts = [(concept["category"], concept["name"]) for concept in (source.job.summary or {})["concepts"]]
    paths = [source.store.path(layer.iou_artifact or "") for layer in source.layers]
    step = max(1, CELLS_IN_BATCH // max(1, len(concepts)))

    def batches() -> Iterator[Sequence[Row]]:
        for layer, path in zip(source.layers, paths, strict=True):
            ious = np.load(path, mmap_mode="r", allow_pickle=False)  # (U, C)
            for start in range(0, len(ious), step):
                block = ious[start : start + step].tolist()
                yield [
                    (source.model, layer.name, unit, *concept, iou)
                    for unit, row in enumerate(block, start)
                    for concept, iou in zip(concepts, row, strict=True)
                ]

    return RowTable(columns, batches())


ROWS: Mapping[str, Callable[[Source], RowTable]] = {"labels": labels, "units": units, "matrix": matrix}
