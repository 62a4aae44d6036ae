"""Registering models and datasets, and looking at them."""

from typing import Any

from service.api import Blueprint
from service.catalog import queries
from service.catalog.checks import check_dataset, check_model
from service.catalog.registration import Unfinished, answer_unfinished, register
from service.catalog.replies import describe_dataset, describe_model
from service.catalog.schemas import (
    ClassesQuerySchema,
    ClassSchema,
    DatasetRequestSchema,
    DatasetSchema,
    LayersSchema,
    ModelRequestSchema,
    ModelSchema,
)
from service.context import db, services, team_id
from service.jobs.schemas import JobSchema
from service.pagination import Page, PageRequest
from service.results.effects.explaining_queries import count_important
from service.results.effects.replies import describe_class

KNOWN = "Registered before, in the same way"
UNFINISHED = "Not done yet: the job that does it"

blueprint = Blueprint("catalog", "What can be studied: models with layers and classes, datasets with concepts.")
blueprint.register_error_handler(Unfinished, answer_unfinished)


@blueprint.post("/models")
@blueprint.requires("write")
@blueprint.arguments(ModelRequestSchema)
@blueprint.also(200, ModelSchema, description=KNOWN)
@blueprint.also(202, JobSchema, description=UNFINISHED)
@blueprint.response(201, ModelSchema)
def register_model(wanted: dict[str, Any]) -> Any:
    """Register a model: a worker loads it once and lists its layers."""
    check_model(db(), team_id(), wanted)
    taken = queries.find_model(db(), team_id(), wanted["name"]) is not None
    status = register("model", wanted, taken=taken)
    model = describe_model(queries.get_model(db(), team_id(), wanted["name"]))
    return model, status, {"Location": model["links"]["self"]}


@blueprint.get("/models")
@blueprint.requires("read")
@blueprint.paginated(ModelSchema)
def list_models(page: PageRequest) -> Page:
    """List the team's models by name."""
    found = queries.list_models(db(), team_id(), page)
    return Page([describe_model(model) for model in found.data], found.next_cursor)


@blueprint.get("/models/<name>")
@blueprint.requires("read")
@blueprint.response(200, ModelSchema)
def get_model(name: str) -> dict[str, Any]:
    """Retrieve a model."""
    return describe_model(queries.get_model(db(), team_id(), name))


@blueprint.get("/models/<name>/layers")
@blueprint.requires("read")
@blueprint.response(200, LayersSchema)
def list_layers(name: str) -> dict[str, Any]:
    """List a model's layers in the order of its forward pass."""
    return {"data": queries.layers_of(db(), queries.get_model(db(), team_id(), name).model)}


@blueprint.post("/datasets")
@blueprint.requires("write")
@blueprint.arguments(DatasetRequestSchema)
@blueprint.also(200, DatasetSchema, description=KNOWN)
@blueprint.also(202, JobSchema, description=UNFINISHED)
@blueprint.response(201, DatasetSchema)
def register_dataset(wanted: dict[str, Any]) -> Any:
    """Register a dataset: a worker reads its files once and fixes their digests."""
    wanted = check_dataset(db(), team_id(), wanted, services().settings.import_dir)
    taken = queries.find_dataset(db(), team_id(), wanted["name"]) is not None
    status = register("dataset", wanted, taken=taken)
    dataset = _describe(wanted["name"])
    return dataset, status, {"Location": dataset["links"]["self"]}


@blueprint.get("/datasets")
@blueprint.requires("read")
@blueprint.paginated(DatasetSchema)
def list_datasets(page: PageRequest) -> Page:
    """List the team's datasets by name."""
    found = queries.list_datasets(db(), team_id(), page)
    counts = queries.concept_counts(db(), found.data)
    return Page([describe_dataset(dataset, counts[dataset.id]) for dataset in found.data], found.next_cursor)


@blueprint.get("/datasets/<name>")
@blueprint.requires("read")
@blueprint.response(200, DatasetSchema)
def get_dataset(name: str) -> dict[str, Any]:
    """Retrieve a dataset."""
    return _describe(name)


def _describe(name: str) -> dict[str, Any]:
    dataset = queries.get_dataset(db(), team_id(), name)
    return describe_dataset(dataset, queries.concept_counts(db(), [dataset])[dataset.id])


@blueprint.get("/classes")
@blueprint.requires("read")
@blueprint.paginated(ClassSchema, ClassesQuerySchema)
def list_classes(page: PageRequest) -> Page:
    """List the classes of the team's models, with the numbers of units that matter to them."""
    found = queries.list_classes(db(), team_id(), page)
    counts = count_important(db(), [row.id for row in found.data])
    return Page([describe_class(row, counts.get(row.id)) for row in found.data], found.next_cursor)
