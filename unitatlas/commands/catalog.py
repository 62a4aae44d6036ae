"""`unitatlas models` and `unitatlas datasets`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from unitatlas.client import Client
from unitatlas.commands.options import EXISTING_FILE, EXISTING_PATH, JsonObject, as_json, read_classes, read_concepts
from unitatlas.output import print_one, print_rows
from unitatlas.types import Dataset, Model

MODEL_COLUMNS = ["name", "kind", "source", "layers", "classes"]
DATASET_COLUMNS = ["name", "format", "images", "classes", "concepts", "grid"]


def model_row(model: Model) -> Sequence[object]:
    """A model as a row of a table."""
    return model.name, model.kind, model.source, model.layers, model.classes


def dataset_row(dataset: Dataset) -> Sequence[object]:
    """A dataset as a row of a table."""
    concepts = sum(dataset.concepts.values())
    return dataset.name, dataset.format, dataset.images, dataset.classes, concepts, dataset.grid


@click.group()
def models() -> None:
    """Networks: register, list, show layers."""


@models.command("list")
@as_json
@click.pass_obj
def list_models(client: Client, as_json: bool) -> None:
    """List the models."""
    print_rows([*client.models()], MODEL_COLUMNS, as_json, model_row)


@models.command("add")
@click.argument("name")
@click.argument("source")
@click.option("--weights", type=EXISTING_FILE, help="safetensors file or state dict to upload.")
@click.option("--pretrained", help="Name of the weights that the source knows.")
@click.option("--seed", type=int, help="Untrained, from this seed.")
@click.option(
    "--input", "input_spec", type=JsonObject(), help="How images enter, or the latents of a generator, as JSON."
)
@click.option("--classes", type=EXISTING_FILE, help="Text file with a class a line.")
@click.option("--concepts", type=EXISTING_FILE, help="Text file, an output a line: category,name or - for nothing.")
@click.option("--kind", default="classifier", show_default=True, help="classifier, segmenter or generator.")
@as_json
@click.pass_obj
def add_model(
    client: Client,
    name: str,
    source: str,
    weights: Path | None,
    pretrained: str | None,
    seed: int | None,
    input_spec: dict[str, Any] | None,
    classes: Path | None,
    concepts: Path | None,
    kind: str,
    as_json: bool,
) -> None:
    """Register a model, e.g. `models add scenes builtin:scenes-classifier`."""
    chosen: dict[str, Any] = {} if pretrained is None else {"pretrained": pretrained}
    chosen |= {} if seed is None else {"seed": seed}
    chosen |= {} if weights is None else {"artifact": client.upload(weights)}
    model = client.register_model(
        name,
        source,
        kind=kind,
        weights=chosen,
        input=input_spec,
        classes=None if classes is None else read_classes(classes),
        concepts=None if concepts is None else read_concepts(concepts),
    )
    print_one(model, MODEL_COLUMNS, as_json, model_row)


@models.command("layers")
@click.argument("name")
@as_json
@click.pass_obj
def list_layers(client: Client, name: str, as_json: bool) -> None:
    """List the layers of a model that can be dissected."""
    columns = ["layer", "units", "height", "width"]
    print_rows(client.layers(name), columns, as_json, lambda y: (y.name, y.units, y.height, y.width))


@click.group()
def datasets() -> None:
    """Images: register, list."""


@datasets.command("list")
@as_json
@click.pass_obj
def list_datasets(client: Client, as_json: bool) -> None:
    """List the datasets."""
    print_rows([*client.datasets()], DATASET_COLUMNS, as_json, dataset_row)


@datasets.command("add")
@click.argument("name")
@click.argument("format")
@click.option("--path", help="Directory below the service's import directory.")
@click.option("--upload", "here", type=EXISTING_PATH, help="Folder or zip archive here, to upload.")
@click.option("--builtin", help="Name of a built-in dataset.")
@click.option("--grid", type=int, help="Grid that dissections of these images use.")
@click.option("--scenes", is_flag=True, help="The class of an image is a concept that all of it shows.")
@as_json
@click.pass_obj
def add_dataset(
    client: Client,
    name: str,
    format: str,
    path: str | None,
    here: Path | None,
    builtin: str | None,
    grid: int | None,
    scenes: bool,
    as_json: bool,
) -> None:
    """Register a dataset, e.g. `datasets add validation scenes --builtin scenes-validation`."""
    location = {"path": path, "builtin": builtin, "artifact": client.upload(here) if here else None}
    given = {key: value for key, value in location.items() if value is not None}
    dataset = client.register_dataset(name, format, given, grid=grid, scenes=scenes)
    print_one(dataset, DATASET_COLUMNS, as_json, dataset_row)
