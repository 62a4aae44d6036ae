"""What pages ask beside what the API's views ask; always within one team."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Class, Concept, Layer, Model
from service.errors import NotFound
from service.jobs.tables import Job, Shard
from service.results.effects.tables import AblatedClass, LayerAblation
from service.results.queries import FoundUnit, answering, find_units
from service.results.tables import LayerDissection, Unit, UnitLabel

_NAMED_UNIT = re.compile(r"(?P<words>(?:\S+\s+)*?)(?:unit\s+)?(?P<index>\d{1,9})", re.IGNORECASE)

MOST_RUNS = 20


class Interval(NamedTuple):
    """The 95 % interval of the IoU of a unit's label."""

    low: float
    high: float


class DissectedLayer(NamedTuple):
    """A layer's newest dissection, and its figures as the job's summary has them."""

    job_id: uuid.UUID
    figures: Mapping[str, Any]


class ConceptPlace(NamedTuple):
    """What a layer has of a concept by its newest dissection."""

    model: str
    layer: str
    category: str
    units: int
    detectors: int
    best_iou: float


class ExplainedIn(NamedTuple):
    """A layer whose newest ablation knows a class."""

    model: str
    layer: str


def get_layer(session: Session, team_id: uuid.UUID, model: str, name: str) -> Layer:
    """The layer of the team's model of these names; raise NotFound, with near names, where either is missing."""
    found = catalog.get_model(session, team_id, model).model
    layers = {layer.name: layer for layer in catalog.layers_of(session, found)}
    if name not in layers:
        raise NotFound(f"{model!r} has no layer {name!r}{catalog.near(name, layers)}")
    return layers[name]


def dissected_layers(
    session: Session, layer_ids: Collection[int], job_id: uuid.UUID | None = None
) -> dict[int, DissectedLayer]:
    """By layer its newest dissection, or the job; without an entry for one that was not dissected."""
    statement = (
        sa.select(LayerDissection.layer_id, Layer.name, LayerDissection.job_id)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .where(LayerDissection.layer_id.in_(layer_ids), answering(job_id))
    )
    rows = session.execute(statement).tuples().all()
    jobs = sa.select(Job.id, Job.summary).where(Job.id.in_({job for _, _, job in rows}))
    summaries = {id: summary or {} for id, summary in session.execute(jobs)}
    found = {id: DissectedLayer(job, _figures(summaries[job], name)) for id, name, job in rows}
    return {id: dissected for id, dissected in found.items() if dissected.figures}


def _figures(summary: Mapping[str, Any], layer: str) -> Mapping[str, Any]:
    return next((figures for figures in summary.get("layers", []) if figures["layer"] == layer), {})


def intervals_of(session: Session, unit_ids: Collection[int]) -> dict[int, Interval]:
    """The intervals of the labels of units, of those that have one."""
    statement = sa.select(UnitLabel.unit_id, UnitLabel.iou_low, UnitLabel.iou_high).where(
        UnitLabel.unit_id.in_(unit_ids), UnitLabel.rank == 1
    )
    rows = session.execute(statement)
    return {id: Interval(low, high) for id, low, high in rows if low is not None and high is not None}


def find_named_units(session: Session, team_id: uuid.UUID, text: str, limit: int) -> list[FoundUnit]:
    """Units that a text names by their index, after parts of the names of model and layer: `scenes relu4 unit 7`."""
    named = _NAMED_UNIT.fullmatch(text.strip())
    if named is None:
        return []
    words = [word for word in named["words"].split() if word.lower() != "unit"]
    matches = [
        sa.or_(Model.name.icontains(w, autoescape=True), Layer.name.icontains(w, autoescape=True)) for w in words
    ]
    at = (Unit.index == int(named["index"]), answering(None))
    found = find_units(session, team_id, *at, *matches)
    return sorted(found, key=lambda unit: (unit.model, unit.id))[:limit]


def places_of_concept(session: Session, team_id: uuid.UUID, name: str, category: str | None) -> list[ConceptPlace]:
    """The layers that have units labelled with a concept, those with the best one first."""
    best = sa.func.max(Unit.iou)
    statement = (
        sa.select(Model.name, Layer.name, Concept.category, sa.func.count(), _detectors(), best)
        .select_from(Unit)
        .join(Concept, Concept.id == Unit.concept_id)
        .join(LayerDissection, LayerDissection.id == Unit.dissection_id)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(Concept.team_id == team_id, Concept.name == name, Unit.current)
        .group_by(Model.name, Layer.name, Concept.category)
        .order_by(best.desc(), Model.name, Layer.name)
    )
    if category is not None:
        statement = statement.where(Concept.category == category)
    return [ConceptPlace(*row) for row in session.execute(statement)]


def _detectors() -> sa.ColumnElement[int]:
    return sa.func.count().filter(Unit.detector)


def layers_explaining(session: Session, team_id: uuid.UUID, class_name: str) -> list[ExplainedIn]:
    """The layers whose newest ablation knows a class of this name, model by model, the last layer of each first."""
    statement = (
        sa.select(Model.name, Layer.name)
        .select_from(AblatedClass)
        .join(Class, Class.id == AblatedClass.class_id)
        .join(LayerAblation, LayerAblation.id == AblatedClass.ablation_id)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(Model.team_id == team_id, Class.name == class_name, LayerAblation.current)
        .group_by(Model.name, Layer.name, Layer.position)
        .order_by(Model.name, Layer.position.desc())
    )
    return [ExplainedIn(*row) for row in session.execute(statement)]


def jobs_ahead(session: Session, job: Job) -> int | None:
    """How many jobs of any team workers turn to before this one; None unless it waits for a worker."""
    first = sa.select(Shard.id).where(Shard.job_id == job.id, Shard.state == "queued").order_by(Shard.id).limit(1)
    if job.state != "queued" or (own := session.scalar(first)) is None:
        return None
    sooner = sa.or_(Shard.priority > job.priority, sa.and_(Shard.priority == job.priority, Shard.id < own))
    ahead = sa.select(sa.func.count(sa.distinct(Shard.job_id)))
    return session.scalars(ahead.where(Shard.state == "queued", Shard.job_id != job.id, sooner)).one()


def units_in_run(
    session: Session, team_id: uuid.UUID, job_id: uuid.UUID, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], FoundUnit]:
    """Units of a dissection by their layer and index, of those that are wanted."""
    layers, indices = ({pair[place] for pair in wanted} for place in (0, 1))
    within = (LayerDissection.job_id == job_id, Layer.name.in_(layers), Unit.index.in_(indices))
    found: Sequence[FoundUnit] = find_units(session, team_id, *within) if wanted else []
    return {(unit.layer, unit.unit): unit for unit in found}


def other_dissections(session: Session, team_id: uuid.UUID, job: Job) -> list[Job]:
    """Other dissections of the job's model that have succeeded, newest first, at most MOST_RUNS."""
    same = (Job.team_id == team_id, Job.model_id == job.model_id, Job.kind == "dissection", Job.state == "succeeded")
    statement = sa.select(Job).where(*same, Job.id != job.id).order_by(Job.id.desc()).limit(MOST_RUNS)
    return list(session.scalars(statement))
