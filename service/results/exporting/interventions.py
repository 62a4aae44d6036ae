"""The rows of an intervention: changes of concepts' pixels, units alone, contexts, pictures."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.results.exporting import intervention_queries as queries
from service.results.exporting.intervention_queries import ExportedIntervention
from service.results.exporting.rows import Row, RowTable, Subject
from service.results.interventions.tables import EditedPicture, InsertionContext, MeasuredUnit, PixelChange

PLACE: Mapping[str, type] = {"model": str, "layer": str}
NAMED: Mapping[str, type] = dict.fromkeys(queries.NAMED, str)


@dataclass(frozen=True)
class ExportedJob:
    """A succeeded intervention and those of its layers that are exported."""

    of: Subject
    interventions: Sequence[ExportedIntervention]

    @property
    def layers(self) -> list[Mapping[str, Any]]:
        """The figures of each layer."""
        names = {intervention.layer for intervention in self.interventions}
        return [layer for layer in self.of.summary["layers"] if layer["layer"] in names]


def open_intervention(session: Session, of: Subject, layer: str | None) -> ExportedJob:
    """Find what the intervention changed; raise Invalid where it did not change the layer."""
    return ExportedJob(of, queries.exported_interventions(session, of.job, layer))


def changes(found: ExportedJob) -> RowTable:
    """A row for each layer, set of units and concept."""
    columns = {**PLACE, **NAMED, **_types(PixelChange, queries.CHANGE_COLUMNS)}
    return RowTable(columns, _placed(found, queries.change_batches(found.of.sessions, found.interventions)))


def units(found: ExportedJob) -> RowTable:
    """A row for each layer and unit that was changed alone."""
    columns = {**PLACE, **_types(MeasuredUnit, queries.UNIT_COLUMNS)}
    return RowTable(columns, _placed(found, queries.unit_batches(found.of.sessions, found.interventions)))


def contexts(found: ExportedJob) -> RowTable:
    """A row for each layer, size and context of an insertion."""
    columns = {**PLACE, **NAMED, **_types(InsertionContext, queries.CONTEXT_COLUMNS)}
    return RowTable(columns, _placed(found, queries.context_batches(found.of.sessions, found.interventions)))


def pictures(found: ExportedJob) -> RowTable:
    """A row for each layer and picture that is kept."""
    columns = {**PLACE, **_types(EditedPicture, queries.PICTURE_COLUMNS)}
    return RowTable(columns, _placed(found, queries.picture_batches(found.of.sessions, found.interventions)))


def _types(table: Any, names: Sequence[str]) -> dict[str, type]:
    return {name: table.__table__.columns[name].type.python_type for name in names}


def _placed(found: ExportedJob, batches: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    return ([(found.of.model, *row) for row in batch] for batch in batches)


ROWS: Mapping[str, Callable[[ExportedJob], RowTable]] = {
    "changes": changes,
    "units": units,
    "contexts": contexts,
    "pictures": pictures,
}
