"""The rows of an ablation: effects, units, classes, curves, and the dense matrices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.errors import Invalid
from service.results.effects.tables import AblatedClass, AblatedUnit, UnitEffect
from service.results.exporting import ablation_queries as queries
from service.results.exporting import rows
from service.results.exporting.ablation_queries import AblatedLayer, ablated_layer
from service.results.exporting.pruned import PrunedFile, Slice
from service.results.exporting.rows import PLACE, Row, RowTable, Subject

UNTOUCHED = "untouched"
ORDERS = ("most", "least", "all_but", "random")
"""In which units are removed: n of the most and of the least important, all but the n most important, n random."""
CURVE_FIGURES = ("balanced_accuracy", "all_class_accuracy", "auroc", "rechosen_balanced_accuracy", "change")
ENDS = ("low", "high")
SETS = ("ranking", "evaluation")
MATRICES = ("balanced_accuracy", "recall", "true_negative_rate", "log_probability")
COACTIVATION = "coactivation"


@dataclass(frozen=True)
class Ablation:
    """A succeeded ablation and its layer."""

    of: Subject
    layer: AblatedLayer

    @property
    def place(self) -> tuple[str, str]:
        """What every row begins with: model and layer."""
        return self.of.model, self.layer.name


def open_ablation(session: Session, of: Subject, layer: str | None) -> Ablation:
    """Find the ablation's layer; raise Invalid where another one is named."""
    return Ablation(of, ablated_layer(session, of.job, layer))


def effects(found: Ablation) -> RowTable:
    """A row for each class and unit whose effect is kept, a class's most damaging unit first."""
    columns = {"model": str, "layer": str, "class": str, "unit": int, **_types(UnitEffect, queries.EFFECT_COLUMNS)}
    return RowTable(columns, _placed(found, queries.effect_batches(found.of.sessions, found.layer)))


def units(found: Ablation) -> RowTable:
    """A row for each unit that was removed."""
    columns = {**PLACE, **_types(AblatedUnit, queries.UNIT_COLUMNS)}
    return RowTable(columns, _placed(found, queries.unit_rows(found.of.sessions, found.layer)))


def classes(found: Ablation) -> RowTable:
    """A row for each class, with the figures of the untouched network."""
    columns = {"model": str, "layer": str, "class": str, **_types(AblatedClass, queries.CLASS_COLUMNS)}
    return RowTable(columns, _placed(found, queries.class_rows(found.of.sessions, found.layer)))


def _types(table: Any, names: Sequence[str]) -> dict[str, type]:
    return {name: table.__table__.columns[name].type.python_type for name in names}


def _placed(found: Ablation, batches: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    return ([(*found.place, *row) for row in batch] for batch in batches)


def curves(found: Ablation) -> RowTable:
    """A row for each class, order and size that was asked for, and one of size 0 for the untouched network."""
    figures = [name for figure in CURVE_FIGURES for name in (figure, *(f"{figure}_{end}" for end in ENDS))]
    columns = {"model": str, "layer": str, "class": str, "order": str, "size": int, **dict.fromkeys(figures, float)}
    batches = queries.curve_batches(found.of.sessions, found.layer)
    points = ([row for name, given in batch if given for row in _points(name, given)] for batch in batches)
    return RowTable(columns, _placed(found, points))


def _points(name: str, given: Mapping[str, Any]) -> Iterator[Row]:
    yield (name, UNTOUCHED, 0, *_figures(given[UNTOUCHED] | {"change": 0.0}))
    for order in ORDERS:
        for point in given[order]:
            yield (name, order, point["size"], *_figures(point))


def _figures(point: Mapping[str, Any]) -> Iterator[float | None]:
    """The figures in order, each followed by its low and its high end where it has such."""
    for figure in CURVE_FIGURES:
        value = point.get(figure)
        if isinstance(value, Mapping):
            yield from (value[part] for part in ("mean", *ENDS))
        else:
            yield from (value, *(point.get(f"{figure}_{end}") for end in ENDS))


def matrix(found: Ablation) -> RowTable:
    """A row for each unit and class, with the changes on both sets of images."""
    names = [(f"{of}_{name}_change", of, name) for of in SETS for name in MATRICES]
    columns = {**PLACE, "class": str, **{column: float for column, _, _ in names}, COACTIVATION: float}
    digests = found.of.summary["matrices"]
    paths = [found.of.store.path(digest) for digest in (*(digests[of][n] for _, of, n in names), digests[COACTIVATION])]
    return RowTable(columns, _placed(found, _cells(found.of.summary, [_open(path) for path in paths])))


def _open(path: Any) -> NDArray[np.float32]:
    loaded: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return loaded


def _cells(summary: Mapping[str, Any], matrices: Sequence[NDArray[np.float32]]) -> Iterator[Sequence[Row]]:
    """Rows of the cells of matrices (U, C), as many units at a time as make a batch."""
    classes, units = summary["classes"], summary["units"]
    step = max(1, rows.CELLS_IN_BATCH // max(1, len(classes)))
    for start in range(0, len(units), step):
        block = np.stack([matrix[start : start + step] for matrix in matrices], axis=-1)  # (u, C, 9)
        cells = block.astype(object)
        cells[~np.isfinite(block)] = None
        yield [
            (unit, name, *cell)
            for unit, row in zip(units[start : start + step], cells.tolist(), strict=True)
            for name, cell in zip(classes, row, strict=True)
        ]


def prune(session: Session, found: Ablation, class_name: str, count: int) -> PrunedFile:
    """The network's weights without a class's most important units.

    Raises
    ------
    Invalid
        If no weights silence the layer's units exactly, or the ablation had no such class or not so many units.
    """
    how = found.of.summary["pruning"]
    if not how["exact"]:
        raise Invalid(f"the network cannot be pruned exactly: {how['reason']}", "query:format")
    units = queries.most_important(session, found.layer, found.layer.find_class(class_name), count)
    if len(units) < count:
        raise Invalid(f"the job removed {len(units)} units; {count} of them cannot be taken out", "query:n")
    return PrunedFile(found.of.store.path(how["weights"]), [Slice(*tensor) for tensor in how["tensors"]], units)


ROWS: Mapping[str, Callable[[Ablation], RowTable]] = {
    "effects": effects,
    "units": units,
    "classes": classes,
    "curves": curves,
    "matrix": matrix,
}
