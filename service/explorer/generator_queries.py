"""What pages of generators ask beside what the API's views ask; always within one team."""

import uuid
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Concept, Layer
from service.results.interventions.queries import PictureResult
from service.results.interventions.tables import EVERYWHERE, REMOVE, EditedPicture, Intervention, MeasuredUnit
from service.results.queries import answering
from service.results.tables import LayerDissection, UnitLabel


class FittedConcept(NamedTuple):
    """A concept that units of a layer are known to fit, and how well the best of them does."""

    category: str
    name: str
    best_iou: float


def concepts_of_layers(session: Session, *layers: Layer) -> list[FittedConcept]:
    """The concepts that units of any of the layers fit by their newest dissections, best fitted first."""
    best = sa.func.max(UnitLabel.iou)
    statement = (
        sa.select(Concept.category, Concept.name, best)
        .join(UnitLabel, UnitLabel.concept_id == Concept.id)
        .join(LayerDissection, LayerDissection.id == UnitLabel.dissection_id)
        .where(LayerDissection.layer_id.in_([layer.id for layer in layers]), answering(None), UnitLabel.iou > 0)
        .group_by(Concept.category, Concept.name)
        .order_by(best.desc(), Concept.category, Concept.name)
    )
    return [FittedConcept(*row) for row in session.execute(statement)]


class MeasuredOn(NamedTuple):
    """What removing a unit everywhere did to the pixels of a concept, beside how well it fits that."""

    category: str
    concept: str
    job: uuid.UUID
    iou: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    rank: int | None


def measured_on(session: Session, layer: Layer, unit: int) -> list[MeasuredOn]:
    """What removing a unit did, concept by concept as the newest intervention for each saw it, best fitting first."""
    figures = (getattr(MeasuredUnit, name) for name in MeasuredOn._fields[3:])
    statement = (
        sa.select(Concept.category, Concept.name, Intervention.job_id, *figures)
        .join(Intervention, Intervention.id == MeasuredUnit.intervention_id)
        .join(Concept, Concept.id == Intervention.concept_id)
        .where(Intervention.layer_id == layer.id, MeasuredUnit.unit == unit)
        .where(Intervention.action == REMOVE, Intervention.extent == EVERYWHERE)
        .order_by(Intervention.id)  # so that the newest stands
    )
    newest = {row[:2]: MeasuredOn(*row) for row in session.execute(statement)}
    return sorted(newest.values(), key=lambda row: (-(row.iou or 0.0), row.category, row.concept))


class LayerPicture(NamedTuple):
    """A picture before and after a layer's units were changed."""

    layer: str
    found: PictureResult


def edited_pictures(session: Session, job_id: uuid.UUID, most: int) -> list[LayerPicture]:
    """The first so many pictures of each layer that a job changed, layer by layer."""
    columns = (getattr(EditedPicture, name) for name in PictureResult._fields)
    statement = (
        sa.select(Layer.name, *columns)
        .join(Intervention, Intervention.id == EditedPicture.intervention_id)
        .join(Layer, Layer.id == Intervention.layer_id)
        .where(Intervention.job_id == job_id, EditedPicture.position < most)
        .order_by(Intervention.id, EditedPicture.position)
    )
    return [LayerPicture(row[0], PictureResult(*row[1:])) for row in session.execute(statement)]
