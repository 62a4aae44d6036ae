"""What is read of an ablation to export it: class by class, each in a session of its own, as `queries` explains."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Class, Layer
from service.database import Sessions, reading
from service.errors import Invalid
from service.jobs.tables import Job
from service.results.effects.queries import ClassResult, EffectResult, UnitResult
from service.results.effects.tables import AblatedClass, AblatedUnit, LayerAblation, UnitEffect

CLASSES_IN_BATCH = 16

EFFECT_COLUMNS = tuple(name for name in EffectResult._fields if name not in ("class_id", "unit"))
UNIT_COLUMNS = UnitResult._fields
CLASS_COLUMNS = tuple(name for name in ClassResult._fields if name not in ("class_id", "curves"))


class AblatedLayer(NamedTuple):
    """A layer as an ablation saw it, and the classes that it saw, (id, name), in the order of the outputs."""

    ablation_id: int
    name: str
    classes: Sequence[tuple[int, str]]

    def find_class(self, name: str) -> int:
        """The id of a class; raise Invalid where the ablation saw none of this name."""
        for id, known in self.classes:
            if known == name:
                return id
        detail = f"the job measured no class {name!r}{near(name, [known for _, known in self.classes])}"
        raise Invalid(detail, "query:class")


class ShownEffect(NamedTuple):
    """What removing a unit does to a class, by the columns of `UnitEffect`."""

    unit: int
    figures: Mapping[str, Any]


class ShownClass(NamedTuple):
    """A class, by the columns of `AblatedClass`, with the units that damage it most."""

    name: str
    figures: Mapping[str, Any]
    effects: Sequence[ShownEffect]


def ablated_layer(session: Session, job: Job, name: str | None) -> AblatedLayer:
    """The ablation's layer; raise Invalid where another one is named."""
    statement = (
        sa.select(LayerAblation.id, Layer.name)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .where(LayerAblation.job_id == job.id)
    )
    ablation_id, layer = session.execute(statement).one()
    if name not in (None, layer):
        raise Invalid(f"the job ablated layer {layer!r}, no layer {name!r}", "query:layer")
    classes = (
        sa.select(Class.id, Class.name)
        .join(AblatedClass, AblatedClass.class_id == Class.id)
        .where(AblatedClass.ablation_id == ablation_id)
        .order_by(Class.index)
    )
    return AblatedLayer(ablation_id, layer, session.execute(classes).tuples().all())


def effect_batches(sessions: Sessions, layer: AblatedLayer) -> Iterator[list[tuple[Any, ...]]]:
    """Class, unit and EFFECT_COLUMNS of every effect that is kept, a batch a class, the most damaging unit first."""
    columns = (UnitEffect.unit, *(getattr(UnitEffect, name) for name in EFFECT_COLUMNS))
    statement = sa.select(*columns).order_by(UnitEffect.rank, UnitEffect.unit)
    for id, name in layer.classes:
        wanted = statement.where(UnitEffect.ablation_id == layer.ablation_id, UnitEffect.class_id == id)
        with reading(sessions) as session:
            yield [(name, *row) for row in session.execute(wanted)]


def unit_rows(sessions: Sessions, layer: AblatedLayer) -> Iterator[list[tuple[Any, ...]]]:
    """UNIT_COLUMNS of every unit."""
    columns = [getattr(AblatedUnit, name) for name in UNIT_COLUMNS]
    statement = sa.select(*columns).where(AblatedUnit.ablation_id == layer.ablation_id).order_by(AblatedUnit.unit)
    with reading(sessions) as session:
        rows = session.execute(statement).all()
    yield [tuple(row) for row in rows]


def class_rows(sessions: Sessions, layer: AblatedLayer) -> Iterator[list[tuple[Any, ...]]]:
    """Class and CLASS_COLUMNS of every class."""
    return _class_batches(sessions, layer, CLASS_COLUMNS)


def curve_batches(sessions: Sessions, layer: AblatedLayer) -> Iterator[list[tuple[Any, ...]]]:
    """Class and its curves, None for one that none were asked for."""
    return _class_batches(sessions, layer, ["curves"])


def _class_batches(sessions: Sessions, layer: AblatedLayer, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    statement = sa.select(AblatedClass.class_id, *(getattr(AblatedClass, name) for name in columns))
    for start in range(0, len(layer.classes), CLASSES_IN_BATCH):
        names = dict(layer.classes[start : start + CLASSES_IN_BATCH])
        wanted = statement.where(AblatedClass.ablation_id == layer.ablation_id, AblatedClass.class_id.in_(names))
        with reading(sessions) as session:
            found = {id: rest for id, *rest in session.execute(wanted)}
        yield [(name, *found[id]) for id, name in names.items()]


def shown_classes(sessions: Sessions, layer: AblatedLayer, units: int) -> Iterator[ShownClass]:
    """Every class with so many of the units that damage it most."""
    classes = (row for batch in class_rows(sessions, layer) for row in batch)
    for (name, *figures), effects in zip(classes, effect_batches(sessions, layer), strict=True):
        shown = [ShownEffect(effect[1], dict(zip(EFFECT_COLUMNS, effect[2:], strict=True))) for effect in effects]
        yield ShownClass(name, dict(zip(CLASS_COLUMNS, figures, strict=True)), shown[:units])


def most_important(session: Session, layer: AblatedLayer, class_id: int, count: int) -> list[int]:
    """The units that damage a class most, so many of them, or as many as the ablation removed."""
    statement = (
        sa.select(UnitEffect.unit)
        .where(UnitEffect.ablation_id == layer.ablation_id, UnitEffect.class_id == class_id, UnitEffect.rank <= count)
        .order_by(UnitEffect.rank)
    )
    return list(session.scalars(statement))
