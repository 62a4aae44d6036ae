"""`unitatlas models` and `unitatlas datasets`."""

import json
from pathlib import Path
from typing import Any

import click

from unitatlas.client import Client
from unitatlas.output import as_json, print_rows


@click.group()
def models() -> None:
    """Networks: register, list, show layers."""


@models.command("list")
@as_json
@click.pass_obj
def list_models(client: Client, as_json: bool) -> None:
    """List the models."""
    print_rows([*client.models()], ["name", "kind", "source"], as_json, lambda m: (m.name, m.kind, m.source))


@models.command("add")
@click.argument("name")
@click.argument("source")
@click.option("--weights", type=Path, help="safetensors file or state dict to upload.")
@click.option("--pretrained", help="Name of the weights that the source knows.")
@click.option("--seed", type=int, help="Untrained, from this seed.")
@click.option("--input", "input_json", help="How images enter, as JSON.")
@click.option("--classes", type=Path, help="Text file with a class a line.")
@click.option("--kind", default="classifier", show_default=True)
@as_json
@click.pass_obj
def add_model(
    client: Client,
    name: str,
    source: str,
    weights: Path | None,
    pretrained: str | None,
    seed: int | None,
    input_json: str | None,
    classes: Path | None,
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
        input=None if input_json is None else json.loads(input_json),
        classes=None if classes is None else classes.read_text().splitlines(),
    )
    print_rows([model], ["name", "kind", "source"], as_json, lambda m: (m.name, m.kind, m.source))


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
    columns = ["name", "format", "images", "grid"]
    print_rows([*client.datasets()], columns, as_json, lambda d: (d.name, d.format, d.images, d.grid))


@datasets.command("add")
@click.argument("name")
@click.argument("format")
@click.option("--path", help="Directory below the service's import directory.")
@click.option("--zip", "archive", type=Path, help="Zip file to upload.")
@click.option("--builtin", help="Name of a built-in dataset.")
@click.option("--grid", type=int, help="Grid that dissections of these images use.")
@as_json
@click.pass_obj
def add_dataset(
    client: Client,
    name: str,
    format: str,
    path: str | None,
    archive: Path | None,
    builtin: str | None,
    grid: int | None,
    as_json: bool,
) -> None:
    """Register a dataset, e.g. `datasets add validation scenes --builtin scenes-validation`."""
    location = {"path": path, "builtin": builtin, "artifact": client.upload(archive) if archive else None}
    given = {key: value for key, value in location.items() if value is not None}
    dataset = client.register_dataset(name, format, given, grid=grid)
    columns = ["name", "format", "images", "grid"]
    print_rows([dataset], columns, as_json, lambda d: (d.name, d.format, d.images, d.grid))
