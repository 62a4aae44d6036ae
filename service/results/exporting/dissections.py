"""The rows of a dissection: labels, units, and the dense matrix of IoUs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from service.results.exporting import queries, rows
from service.results.exporting.queries import ExportedLayer, exported_layers
from service.results.exporting.rows import JSON, PLACE, Row, RowTable, Subject


@dataclass(frozen=True)
class Dissection:
    """A succeeded dissection, and those of its layers that are exported."""

    of: Subject
    layers: Sequence[ExportedLayer]


def open_dissection(session: Session, of: Subject, layer: str | None) -> Dissection:
    """Find the dissection's layers, or the one of this name; raise Invalid where it has none such."""
    return Dissection(of, exported_layers(session, of.job, layer))


def labels(found: Dissection) -> RowTable:
    """A row for each unit and concept that is kept, a unit's best first."""
    types = {name: str if name in ("category", "concept") else float for name in queries.LABEL_COLUMNS}
    whole = dict.fromkeys(("active", "rank", "intersection", "union"), int)
    columns = {**PLACE, **types, **whole, "detector": bool}
    batches = queries.label_batches(found.of.sessions, found.layers)
    return RowTable(columns, ([(found.of.model, *row) for row in batch] for batch in batches))


def units(found: Dissection) -> RowTable:
    """A row for each unit, with the scores of its label."""
    types = {name: str if name in ("category", "concept", "picture") else float for name in queries.UNIT_COLUMNS}
    whole = dict.fromkeys(("active", "intersection", "union"), int)
    columns = {**PLACE, **types, **whole, "detector": bool, "histogram": JSON, "top_images": JSON}
    batches = queries.unit_batches(found.of.sessions, found.layers)
    return RowTable(columns, ([(found.of.model, *row) for row in batch] for batch in batches))


def matrix(found: Dissection) -> RowTable:
    """A row for each unit and concept of the dissection, whether kept among the labels or not."""
    columns = {**PLACE, "category": str, "concept": str, "iou": float}
    concepts = [(concept["category"], concept["name"]) for concept in found.of.summary["concepts"]]
    paths = [found.of.store.path(layer.iou_artifact or "") for layer in found.layers]
    step = max(1, rows.CELLS_IN_BATCH // max(1, len(concepts)))

    def batches() -> Iterator[Sequence[Row]]:
        for layer, path in zip(found.layers, paths, strict=True):
            ious = np.load(path, mmap_mode="r", allow_pickle=False)  # (U, C)
            for start in range(0, len(ious), step):
                block = ious[start : start + step].tolist()
                yield [
                    (found.of.model, layer.name, unit, *concept, iou)
                    for unit, row in enumerate(block, start)
                    for concept, iou in zip(concepts, row, strict=True)
                ]

    return RowTable(columns, batches())


ROWS: Mapping[str, Callable[[Dissection], RowTable]] = {"labels": labels, "units": units, "matrix": matrix}
