"""The rows of an attack: images, units, targets, groups of units."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.results.attacks.tables import OUTCOMES, AttackedImage, UnitShift
from service.results.exporting import attack_queries as queries
from service.results.exporting.attack_queries import ExportedAttack
from service.results.exporting.rows import JSON, Row, RowTable, Subject

GROUPS = ("target", "source", "others")
DISTANCES = ("l2", "linf")
AVERAGES = ("median", "mean")
FIGURES = {"images": int} | dict.fromkeys(
    ("mean", "low", "high", "absolute_mean", "absolute_low", "absolute_high"), float
)
WANTED = "wanted"
"""The target of a single image, beside that of the attack."""


@dataclass(frozen=True)
class ExportedJob:
    """A succeeded attack: its targets, those of its layers that are exported, and the names of all classes."""

    of: Subject
    attacks: Sequence[ExportedAttack]
    layers: Mapping[str, int]
    names: Mapping[int | None, str | None]

    @property
    def targets(self) -> Sequence[Mapping[str, Any]]:
        """The figures of each target."""
        found: Sequence[Mapping[str, Any]] = self.of.summary["targets"]
        return found


def open_attack(session: Session, of: Subject, layer: str | None) -> ExportedJob:
    """Find what the attack tried and watched; raise Invalid where it did not watch the layer."""
    layers = queries.watched_layers(session, of.job, layer)
    return ExportedJob(of, queries.exported_attacks(session, of.job), layers, queries.class_names(session, of.job))


def images(found: ExportedJob) -> RowTable:
    """A row for each target and image."""
    types = {name: _type(AttackedImage, name) for name in queries.IMAGE_COLUMNS}
    columns = {"model": str, "target": str, **{WANTED if n == "target" else n: kind for n, kind in types.items()}}
    return RowTable(columns, _placed(found, queries.image_batches(found.of.sessions, found.attacks, found.names)))


def units(found: ExportedJob) -> RowTable:
    """A row for each layer, target and unit."""
    types = {name: _type(UnitShift, name) for name in queries.SHIFT_COLUMNS}
    columns = {"model": str, "layer": str, "target": str, **types}
    return RowTable(columns, _placed(found, queries.shift_batches(found.of.sessions, found.attacks, found.layers)))


def _type(table: Any, name: str) -> type:
    columns = table.__table__.columns
    if name not in columns:
        return str  # a class by its name
    kind: type = columns[name].type.python_type
    return JSON if kind is dict else kind


def _placed(found: ExportedJob, batches: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    return ([(found.of.model, *row) for row in batch] for batch in batches)


def targets(found: ExportedJob) -> RowTable:
    """A row for each target: success, outcomes and distances."""
    distances = [f"{name}_{average}" for name in DISTANCES for average in AVERAGES]
    columns = {"model": str, "target": str, "method": str, "images": int, **dict.fromkeys(OUTCOMES, int)}
    columns |= {"success_rate": float, **dict.fromkeys(distances, float)}
    return RowTable(columns, _placed(found, [[_target(found, figures) for figures in found.targets]]))


def _target(found: ExportedJob, figures: Mapping[str, Any]) -> Row:
    outcomes = (figures["outcomes"][name] for name in OUTCOMES)
    distances = (figures[name][average] for name in DISTANCES for average in AVERAGES)
    method = found.of.summary["method"]
    return figures["target"], method, figures["images"], *outcomes, figures["success_rate"], *distances


def groups(found: ExportedJob) -> RowTable:
    """A row for each layer, target and group of units whose change is known."""
    columns = {"model": str, "layer": str, "target": str, "group": str, **FIGURES, "ablation": str}
    return RowTable(columns, _placed(found, [[row for figures in found.targets for row in _groups(found, figures)]]))


def _groups(found: ExportedJob, figures: Mapping[str, Any]) -> Iterator[Row]:
    for layer in figures["layers"]:
        known = layer["groups"] or {} if layer["layer"] in found.layers else {}
        for name in GROUPS:
            if known.get(name) is not None:
                values = (known[name][figure] for figure in FIGURES)
                yield layer["layer"], figures["target"], name, *values, layer["ablation"]


ROWS: Mapping[str, Callable[[ExportedJob], RowTable]] = {
    "images": images,
    "units": units,
    "targets": targets,
    "groups": groups,
}
