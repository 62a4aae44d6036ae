"""Units with their effect on a class, and what they detect."""

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Concept, Layer, Model
from service.results.attacks.shift_queries import Shift, shifts_towards
from service.results.effects.queries import EffectResult
from service.results.effects.tables import LayerAblation, UnitEffect
from service.results.queries import FoundUnit, find_units
from service.results.tables import LayerDissection, Unit

EFFECT_COLUMNS = tuple(getattr(UnitEffect, name) for name in EffectResult._fields)


class Place(NamedTuple):
    """Where a unit belongs, which job found its effect, and whether that is the layer's newest ablation."""

    model: str
    layer: str
    job_id: uuid.UUID
    current: bool


class Affected(NamedTuple):
    """A unit with its effect on a class, what it detects, and how attacks towards the class moved it.

    With the concept that was asked for as in `Match`.
    """

    place: Place
    effect: EffectResult
    class_name: str
    found: FoundUnit | None
    shift: Shift | None = None
    concept: Concept | None = None
    iou: float | None = None

    @property
    def model(self) -> str:
        """The unit's model."""
        return self.place.model

    @property
    def layer(self) -> str:
        """The unit's layer."""
        return self.place.layer

    @property
    def unit(self) -> int:
        """The unit's index."""
        return self.effect.unit


def select_affected(labels: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    """Effects with their places and their units' ids; `labels` says which dissections know the units."""
    place = (Model.name, Layer.name, LayerAblation.job_id, LayerAblation.current)
    statement = sa.select(*EFFECT_COLUMNS, *place, Unit.id.label("unit_id")).select_from(UnitEffect)
    statement = join_units(statement, labels, isouter=True)
    return statement.join(Layer, Layer.id == LayerAblation.layer_id).join(Model, Model.id == Layer.model_id)


def join_units(
    effects: sa.Select[*tuple[Any, ...]], labels: sa.ColumnElement[bool], *, isouter: bool
) -> sa.Select[*tuple[Any, ...]]:
    """Effects with their units as these dissections saw them, or only those that one saw."""
    same_layer = sa.and_(LayerDissection.layer_id == LayerAblation.layer_id, labels)
    same_unit = sa.and_(Unit.dissection_id == LayerDissection.id, Unit.index == UnitEffect.unit)
    return (
        effects.join(LayerAblation, LayerAblation.id == UnitEffect.ablation_id)
        .join(LayerDissection, same_layer, isouter=isouter)
        .join(Unit, same_unit, isouter=isouter)
    )


def describe(session: Session, team_id: uuid.UUID, rows: Sequence[Any], class_name: str) -> list[Affected]:
    """What rows of `select_affected` are about; the effects are on a class of this name."""
    ids = [row.unit_id for row in rows if row.unit_id is not None]
    units = {unit.id: unit for unit in find_units(session, team_id, Unit.id.in_(ids))}
    affected = [Affected(*_split(row), class_name, units.get(row.unit_id)) for row in rows]
    shifts = shifts_towards(session, team_id, [_towards(row) for row in affected])
    return [row._replace(shift=shifts.get(_towards(row))) for row in affected]


def _towards(row: Affected) -> tuple[int, str, int]:
    return row.effect.class_id, row.layer, row.unit


def _split(row: Any) -> tuple[Place, EffectResult]:
    figures = len(EFFECT_COLUMNS)
    return Place._make(row[figures : figures + len(Place._fields)]), EffectResult._make(row[:figures])
