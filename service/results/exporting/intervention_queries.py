"""What is read of an intervention to export it: layer by layer, each in a session of its own, as `queries` explains."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Concept, Layer
from service.database import Sessions, reading
from service.errors import Invalid
from service.jobs.tables import Job
from service.results.interventions.queries import ChangeResult, ContextResult, MeasuredResult, PictureResult
from service.results.interventions.tables import (
    EditedPicture,
    InsertionContext,
    Intervention,
    MeasuredUnit,
    PixelChange,
)

Rows = list[tuple[Any, ...]]
ROWS_IN_BATCH = 4096
NAMED = ("category", "concept")
CHANGE_COLUMNS = tuple(name for name in ChangeResult._fields if name != "concept_id")
UNIT_COLUMNS = MeasuredResult._fields
CONTEXT_COLUMNS = tuple(name for name in ContextResult._fields if name != "concept_id")
PICTURE_COLUMNS = PictureResult._fields


class ExportedIntervention(NamedTuple):
    """What a job did to one layer."""

    id: int
    layer: str


def exported_interventions(session: Session, job: Job, name: str | None) -> list[ExportedIntervention]:
    """The job's layers, as it was asked for them, or the one of this name; raise Invalid where it changed none such."""
    statement = sa.select(Intervention.id, Layer.name).join(Layer, Layer.id == Intervention.layer_id)
    found = [
        ExportedIntervention(*row)
        for row in session.execute(statement.where(Intervention.job_id == job.id).order_by(Intervention.id))
    ]
    if name is None:
        return found
    wanted = [intervention for intervention in found if intervention.layer == name]
    if not wanted:
        raise Invalid(f"the job changed no layer {name!r}{near(name, [other.layer for other in found])}", "query:layer")
    return wanted


def change_batches(sessions: Sessions, interventions: Sequence[ExportedIntervention]) -> Iterator[Rows]:
    """Layer, NAMED and CHANGE_COLUMNS of each set and concept, set by set."""
    columns = (getattr(PixelChange, name) for name in CHANGE_COLUMNS)
    statement = sa.select(PixelChange.position, Concept.category, Concept.name, *columns)
    statement = statement.join(Concept, Concept.id == PixelChange.concept_id)
    statement = statement.order_by(PixelChange.position).limit(ROWS_IN_BATCH)
    for intervention in interventions:
        last = -1
        while True:
            within = PixelChange.intervention_id == intervention.id, PixelChange.position > last
            with reading(sessions) as session:
                rows = session.execute(statement.where(*within)).all()
            yield [(intervention.layer, *row[1:]) for row in rows]
            if len(rows) < ROWS_IN_BATCH:
                break
            last = rows[-1].position


def unit_batches(sessions: Sessions, interventions: Sequence[ExportedIntervention]) -> Iterator[Rows]:
    """Layer and UNIT_COLUMNS of each unit that was changed alone."""
    statement = sa.select(*(getattr(MeasuredUnit, name) for name in UNIT_COLUMNS)).order_by(MeasuredUnit.place)
    return _batches(sessions, interventions, statement, MeasuredUnit.intervention_id)


def context_batches(sessions: Sessions, interventions: Sequence[ExportedIntervention]) -> Iterator[Rows]:
    """Layer, NAMED and CONTEXT_COLUMNS of each size and context, of most effect first."""
    columns = (getattr(InsertionContext, name) for name in CONTEXT_COLUMNS)
    statement = (
        sa.select(Concept.category, Concept.name, *columns)
        .join(Concept, Concept.id == InsertionContext.concept_id)
        .order_by(InsertionContext.size, InsertionContext.pixels.desc(), Concept.id)
    )
    return _batches(sessions, interventions, statement, InsertionContext.intervention_id)


def picture_batches(sessions: Sessions, interventions: Sequence[ExportedIntervention]) -> Iterator[Rows]:
    """Layer and PICTURE_COLUMNS of each picture that is kept."""
    statement = sa.select(*(getattr(EditedPicture, name) for name in PICTURE_COLUMNS)).order_by(EditedPicture.position)
    return _batches(sessions, interventions, statement, EditedPicture.intervention_id)


def _batches(
    sessions: Sessions,
    interventions: Sequence[ExportedIntervention],
    statement: sa.Select[*tuple[Any, ...]],
    of: sa.orm.InstrumentedAttribute[int],
) -> Iterator[Rows]:
    for intervention in interventions:
        with reading(sessions) as session:
            rows = session.execute(statement.where(of == intervention.id)).all()
        yield [(intervention.layer, *row) for row in rows]


def shown_pictures(
    sessions: Sessions, interventions: Sequence[ExportedIntervention], most: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The layer and the PICTURE_COLUMNS of the first so many pictures of each layer."""
    for batch in picture_batches(sessions, interventions):
        yield from ((row[0], dict(zip(PICTURE_COLUMNS, row[1:], strict=True))) for row in batch[:most])
