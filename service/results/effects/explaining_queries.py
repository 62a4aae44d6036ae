"""What is read of ablations to explain a class."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Class, Layer, Model
from service.errors import Invalid, NotFound
from service.results.attacks.class_queries import ClassAttacks, attacks_on
from service.results.effects.affected_queries import Affected, Place, describe, select_affected
from service.results.effects.tables import AblatedClass, LayerAblation, UnitEffect
from service.results.queries import answering
from service.results.search_queries import check_name, job_kind


class Importance(NamedTuple):
    """How many units matter to a class, of all its ablated layers, and the layer that has the most of them."""

    units: int
    layer: str


class Explained(NamedTuple):
    """A class as an ablation of a layer saw it, with its most damaging units, and as attacks that watched them did."""

    class_name: str
    place: Place
    row: AblatedClass
    units: Sequence[Affected]
    attacks: ClassAttacks


def count_important(session: Session, class_ids: Iterable[int]) -> dict[int, Importance]:
    """Of the classes that their layers' newest ablations know: how many units lower them beyond chance."""
    statement = (
        sa.select(AblatedClass.class_id, AblatedClass.important_units, Layer.name)
        .join(LayerAblation, LayerAblation.id == AblatedClass.ablation_id)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .where(AblatedClass.class_id.in_(class_ids), LayerAblation.current)
        .order_by(AblatedClass.important_units, Layer.position)
    )
    counts: dict[int, Importance] = {}
    for class_id, units, layer in session.execute(statement):
        known = counts.get(class_id, Importance(0, layer))
        counts[class_id] = Importance(known.units + units, layer)
    return counts


def explain(session: Session, team_id: uuid.UUID, name: str, wanted: Mapping[str, Any]) -> Explained:
    """The class of this name in the ablation that is asked for, by default its layer's newest.

    Raise NotFound where there is no such class or it was never ablated, Invalid for unknown names in the query, and
    where several models or layers could be meant.
    """
    job_kind(session, team_id, wanted["job"], ("ablation",))
    model = _choose_model(session, team_id, name, wanted)
    found = _find_ablated(session, team_id, name, wanted)
    if not found:
        raise _never_ablated(session, team_id, name, model, wanted)
    layers = list(dict.fromkeys(place.layer for place, _ in found))
    if len(layers) > 1:
        raise Invalid(f"several layers were ablated; choose with layer one of {_list(layers)}", "query:layer")
    place, row = found[0]
    units = _most_damaging(session, team_id, row, name, wanted["units"])
    layer_id = session.get_one(LayerAblation, row.ablation_id).layer_id
    attacks = attacks_on(session, team_id, layer_id, row.class_id, [affected.unit for affected in units])
    return Explained(name, place, row, units, attacks)


def _choose_model(session: Session, team_id: uuid.UUID, name: str, wanted: Mapping[str, Any]) -> list[str]:
    """The models that have the class, one unless a job says which."""
    check_name(session, sa.select(Model.name).where(Model.team_id == team_id), "model", wanted["model"])
    within = _within(team_id, wanted["model"])
    having = sa.select(Model.name).join(Class, Class.model_id == Model.id).where(*within, Class.name == name)
    models = list(session.scalars(having.distinct().order_by(Model.name)))
    if not models:
        known = session.scalars(sa.select(Class.name).join(Model, Model.id == Class.model_id).where(*within).distinct())
        raise NotFound(f"no class is named {name!r} here{near(name, known)}")
    if len(models) > 1 and wanted["job"] is None:
        raise Invalid(f"several models have a class {name!r}; choose with model one of {_list(models)}", "query:model")
    return models


def _find_ablated(
    session: Session, team_id: uuid.UUID, name: str, wanted: Mapping[str, Any]
) -> list[tuple[Place, AblatedClass]]:
    """Each ablated layer with the class; of classes that share their name in a model the first output first."""
    named = [] if wanted["layer"] is None else [Layer.name == wanted["layer"]]
    answers = LayerAblation.current if wanted["job"] is None else LayerAblation.job_id == wanted["job"]
    statement = (
        sa.select(Model.name, Layer.name, LayerAblation.job_id, LayerAblation.current, AblatedClass)
        .join(LayerAblation, LayerAblation.id == AblatedClass.ablation_id)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .join(Class, Class.id == AblatedClass.class_id)
        .where(*_within(team_id, wanted["model"]), *named, Class.name == name, answers)
        .order_by(Layer.position, Class.index)
    )
    return [(Place._make(row[:4]), row[4]) for row in session.execute(statement)]


def _never_ablated(
    session: Session, team_id: uuid.UUID, name: str, models: Sequence[str], wanted: Mapping[str, Any]
) -> NotFound:
    layers = sa.select(Layer.name).join(Model, Model.id == Layer.model_id).where(*_within(team_id, wanted["model"]))
    check_name(session, layers, "layer", wanted["layer"])
    where = "" if wanted["layer"] is None else f" in layer {wanted['layer']!r}"
    by = "" if wanted["job"] is None else f" by job {wanted['job']}"
    body = f'{{"kind": "ablation", "model": "{models[0]}", "dataset": ..., "layer": ...}}'
    return NotFound(
        f"what the class {name!r} loses without a unit was not measured{where}{by}; POST /v1/jobs with {body}"
    )


def _most_damaging(session: Session, team_id: uuid.UUID, row: AblatedClass, name: str, units: int) -> list[Affected]:
    statement = (
        select_affected(answering(None))
        .where(UnitEffect.ablation_id == row.ablation_id, UnitEffect.class_id == row.class_id)
        .order_by(UnitEffect.rank)
        .limit(units)
    )
    return describe(session, team_id, session.execute(statement).all(), name)


def _within(team_id: uuid.UUID, model: str | None) -> list[sa.ColumnElement[bool]]:
    return [Model.team_id == team_id, *([] if model is None else [Model.name == model])]


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
