"""Everything that is asked of, and written to, models, datasets, concepts and classes; always within one team."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Concept, Dataset, DatasetConcept, Layer, Model
from service.database import bulk_insert, now
from service.errors import Conflict, Invalid, NotFound
from service.pagination import Page, PageRequest, paginate


class LayerShape(Protocol):
    """What a dry run told of a layer."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def units(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102


class ListedModel(NamedTuple):
    """A model with the numbers of its layers and classes."""

    model: Model
    layers: int
    classes: int


def near(name: str, names: Iterable[str]) -> str:
    """The end of a sentence that offers the names most like the one given, empty where none is."""
    close = get_close_matches(name, list(names), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(repr(match) for match in close)}?" if close else ""


def find_model(session: Session, team_id: uuid.UUID, name: str) -> Model | None:
    """The team's model of this name, or None."""
    return session.scalar(sa.select(Model).where(Model.team_id == team_id, Model.name == name))


def find_dataset(session: Session, team_id: uuid.UUID, name: str) -> Dataset | None:
    """The team's dataset of this name, or None."""
    return session.scalar(sa.select(Dataset).where(Dataset.team_id == team_id, Dataset.name == name))


def model_names(session: Session, team_id: uuid.UUID, kind: str | None = None) -> list[str]:
    """The names of the team's models, or of those of one kind."""
    of_kind = sa.true() if kind is None else Model.kind == kind
    return list(session.scalars(sa.select(Model.name).where(Model.team_id == team_id, of_kind)))


def dataset_names(session: Session, team_id: uuid.UUID) -> list[str]:
    """The names of the team's datasets."""
    return list(session.scalars(sa.select(Dataset.name).where(Dataset.team_id == team_id)))


def _listed_models(team_id: uuid.UUID) -> sa.Select[Model, int, int]:
    """The team's models, each with the numbers of its layers and classes."""
    layers = sa.select(sa.func.count()).where(Layer.model_id == Model.id).scalar_subquery()
    classes = sa.select(sa.func.count()).where(Class.model_id == Model.id).scalar_subquery()
    return sa.select(Model, layers, classes).where(Model.team_id == team_id)


def get_model(session: Session, team_id: uuid.UUID, name: str) -> ListedModel:
    """The team's model of this name with its counts; raise NotFound, with near names, where there is none."""
    row = session.execute(_listed_models(team_id).where(Model.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"no model is named {name!r}{near(name, model_names(session, team_id))}")
    return ListedModel(*row)


def get_dataset(session: Session, team_id: uuid.UUID, name: str) -> Dataset:
    """The team's dataset of this name; raise NotFound, with near names, where there is none."""
    dataset = find_dataset(session, team_id, name)
    if dataset is None:
        raise NotFound(f"no dataset is named {name!r}{near(name, dataset_names(session, team_id))}")
    return dataset


def list_models(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's models by name, each a ListedModel."""
    found = paginate(session, _listed_models(team_id), [Model.name], page)
    return Page([ListedModel(*row[:3]) for row in found.data], found.next_cursor)


def list_datasets(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's datasets by name."""
    return paginate(session, sa.select(Dataset).where(Dataset.team_id == team_id), [Dataset.name], page)


def list_classes(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The classes (id, model, index, name) that fit the page's filters; raise Invalid for an unknown model."""
    columns = (Class.id, Model.name.label("model"), Class.index.label("index"), Class.name.label("name"))
    statement = sa.select(*columns).join(Model, Model.id == Class.model_id).where(Model.team_id == team_id)
    if (model := page.filters["model"]) is not None:
        if find_model(session, team_id, model) is None:
            raise Invalid(f"no model is named {model!r}{near(model, model_names(session, team_id))}", "query:model")
        statement = statement.where(Model.name == model)
    if page.filters["q"] is not None:
        statement = statement.where(Class.name.icontains(page.filters["q"], autoescape=True))
    return paginate(session, statement, [Model.name, Class.index], page)


def classes_of(session: Session, model: Model) -> list[str]:
    """The names of a classifier's outputs, in their order."""
    return list(session.scalars(sa.select(Class.name).where(Class.model_id == model.id).order_by(Class.index)))


def class_ids(session: Session, model_id: uuid.UUID) -> list[int]:
    """The ids of a classifier's classes, in the order of its outputs."""
    return list(session.scalars(sa.select(Class.id).where(Class.model_id == model_id).order_by(Class.index)))


def layers_of(session: Session, model: Model) -> list[Layer]:
    """A model's layers in the order of its forward pass."""
    return list(session.scalars(sa.select(Layer).where(Layer.model_id == model.id).order_by(Layer.position)))


def get_unit_layer(session: Session, team_id: uuid.UUID, model: str, layer: str, unit: int) -> Layer:
    """The layer of a unit of the team's model; raise NotFound where one of the three is not there."""
    row = next((row for row in layers_of(session, get_model(session, team_id, model).model) if row.name == layer), None)
    if row is None:
        raise NotFound(f"the model {model!r} has no layer {layer!r}")
    if unit >= row.units:
        raise NotFound(f"the layer {layer!r} of the model {model!r} has {row.units} units, 0 to {row.units - 1}")
    return row


def layer_ids(session: Session, model_id: uuid.UUID) -> dict[str, int]:
    """The ids of a model's layers by name."""
    return dict(session.execute(sa.select(Layer.name, Layer.id).where(Layer.model_id == model_id)).tuples().all())


def concept_counts(session: Session, datasets: Sequence[Dataset]) -> dict[uuid.UUID, dict[str, int]]:
    """How many concepts of each category the datasets' masks may show."""
    rows = session.execute(
        sa.select(DatasetConcept.dataset_id, Concept.category, sa.func.count())
        .join(Concept, Concept.id == DatasetConcept.concept_id)
        .where(DatasetConcept.dataset_id.in_([dataset.id for dataset in datasets]))
        .group_by(DatasetConcept.dataset_id, Concept.category)
        .order_by(Concept.category)
    )
    counts: dict[uuid.UUID, dict[str, int]] = {dataset.id: {} for dataset in datasets}
    for dataset_id, category, count in rows:
        counts[dataset_id][category] = count
    return counts


def concepts_of(session: Session, dataset: Dataset) -> list[tuple[str, str]]:
    """The concepts (category, name) that a dataset's masks may show, in its order."""
    statement = (
        sa.select(Concept.category, Concept.name)
        .join(DatasetConcept, DatasetConcept.concept_id == Concept.id)
        .where(DatasetConcept.dataset_id == dataset.id)
        .order_by(DatasetConcept.position)
    )
    return list(session.execute(statement).tuples())


def write_model(
    session: Session,
    team_id: uuid.UUID,
    *,
    name: str,
    kind: str,
    source: str,
    weights: dict[str, Any],
    input: dict[str, Any],
    digest: str,
    forward_seconds: float,
    layers: Sequence[LayerShape],
    classes: Sequence[str],
    concepts: list[list[str] | None] | None = None,
    tail_seconds: Mapping[str, float] | None = None,
) -> Model:
    """Write a model with its layers, in forward order, and its classes; raise Conflict where the name is taken.

    `tail_seconds` are those of the layers at which the network can be cut.
    """
    if find_model(session, team_id, name) is not None:
        raise Conflict(f"another model is named {name!r} already", "/name")
    model = Model(
        team_id=team_id,
        name=name,
        kind=kind,
        source=source,
        weights=weights,
        input=input,
        concepts=concepts,
        digest=digest,
        forward_seconds=forward_seconds,
        created_at=now(session),
    )
    session.add(model)
    session.flush()
    names = ["model_id", "name", "position", "units", "height", "width", "tail_seconds"]
    shapes = (
        (model.id, layer.name, i, layer.units, layer.height, layer.width, (tail_seconds or {}).get(layer.name))
        for i, layer in enumerate(layers)
    )
    bulk_insert(session, Layer, names, shapes)
    outputs = ((model.id, index, name) for index, name in enumerate(classes))
    bulk_insert(session, Class, ["model_id", "index", "name"], outputs)
    return model


def write_dataset(
    session: Session,
    team_id: uuid.UUID,
    *,
    name: str,
    format: str,
    location: dict[str, Any],
    manifest: str,
    images: int,
    grid: int | None,
    classes: Sequence[str],
    concepts: Sequence[tuple[str, str]],
) -> Dataset:
    """Write a dataset with its concepts (category, name), in its order; raise Conflict where the name is taken."""
    if find_dataset(session, team_id, name) is not None:
        raise Conflict(f"another dataset is named {name!r} already", "/name")
    dataset = Dataset(
        team_id=team_id,
        name=name,
        format=format,
        location=location,
        manifest=manifest,
        images=images,
        grid=grid,
        classes=list(classes),
        created_at=now(session),
    )
    session.add(dataset)
    session.flush()
    places = ((dataset.id, i, concept) for i, concept in enumerate(concept_ids(session, team_id, concepts)))
    bulk_insert(session, DatasetConcept, ["dataset_id", "position", "concept_id"], places)
    return dataset


def concept_ids(session: Session, team_id: uuid.UUID, concepts: Sequence[tuple[str, str]]) -> list[int]:
    """The ids of concepts (category, name), in their order; those that the team lacks are created."""
    known = _known_concepts(session, team_id)
    # sorted, so that two transactions that create the same concepts cannot wait for each other
    if missing := sorted({tuple(concept) for concept in concepts} - known.keys()):
        _create_concepts(session, team_id, missing)
        known = _known_concepts(session, team_id)
    return [known[tuple(concept)] for concept in concepts]


def _known_concepts(session: Session, team_id: uuid.UUID) -> dict[tuple[str, ...], int]:
    rows = session.execute(sa.select(Concept.category, Concept.name, Concept.id).where(Concept.team_id == team_id))
    return {(category, name): id for category, name, id in rows}


def _create_concepts(session: Session, team_id: uuid.UUID, concepts: Iterable[tuple[str, ...]]) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(Concept).on_conflict_do_nothing()
    session.execute(insert, [{"team_id": team_id, "category": category, "name": name} for category, name in concepts])
