"""`unitatlas collections` and `unitatlas annotations`."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import as_json, limited
from unitatlas.output import print_one, print_rows, show_json, show_table
from unitatlas.team import CollectedUnit, Collection
from unitatlas.types import Annotation

COLLECTION_COLUMNS = ["id", "name", "units", "by", "changed"]
ANNOTATION_COLUMNS = ["id", "model", "layer", "unit", "label", "note", "by"]

note = click.option("--note", default="", help="What to say of it.")


def collection_row(collection: Collection) -> Sequence[object]:
    """A collection as a row of a table."""
    return collection.id, collection.name, collection.size, collection.author, collection.updated_at


def annotation_row(said: Annotation) -> Sequence[object]:
    """An annotation as a row of a table."""
    label = said.label and f"{said.label['concept']} ({said.label['category']})"
    return said.id, said.model, said.layer, said.unit, label, said.note, said.author


@click.group()
def collections() -> None:
    """Units that somebody put together."""


@collections.command("list")
@limited
@as_json
@click.pass_obj
def list_collections(client: Client, limit: int, as_json: bool) -> None:
    """List the collections, newest first."""
    print_rows([*islice(client.team.collections(), limit)], COLLECTION_COLUMNS, as_json, collection_row)


@collections.command("show")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def show_collection(client: Client, id: UUID, as_json: bool) -> None:
    """Show a collection with its units in their order."""
    collection = client.team.collection(id)
    if as_json:
        show_json(collection.raw)
        return
    click.echo(f"{collection.name}{': ' if collection.note else ''}{collection.note}")
    show_table(["model", "layer", "unit", "concept", "note"], map(_unit_row, collection.units))


def _unit_row(unit: CollectedUnit) -> Sequence[object]:
    return unit.model, unit.layer, unit.unit, unit.label and unit.label.concept, unit.note


@collections.command("add")
@click.argument("name")
@note
@as_json
@click.pass_obj
def add_collection(client: Client, name: str, note: str, as_json: bool) -> None:
    """Make a collection."""
    print_one(client.team.make_collection(name, note=note), COLLECTION_COLUMNS, as_json, collection_row)


@collections.command("append")
@click.argument("id", type=click.UUID)
@click.argument("model")
@click.argument("layer")
@click.argument("unit", type=int)
@note
@as_json
@click.pass_obj
def append_unit(client: Client, id: UUID, model: str, layer: str, unit: int, note: str, as_json: bool) -> None:
    """Put a unit at the end of a collection."""
    made = client.team.append_unit(id, model, layer, unit, note=note)
    print_one(made, COLLECTION_COLUMNS, as_json, collection_row)


@collections.command("delete")
@click.argument("id", type=click.UUID)
@click.pass_obj
def delete_collection(client: Client, id: UUID) -> None:
    """Delete a collection; its units stay what they are."""
    client.team.delete_collection(id)


@click.group()
def annotations() -> None:
    """What people say of units."""


@annotations.command("list")
@click.option("--model")
@click.option("--layer")
@click.option("--concept")
@click.option("--author")
@limited
@as_json
@click.pass_obj
def list_annotations(client: Client, /, limit: int, as_json: bool, **filters: str | None) -> None:
    """List the annotations, newest first."""
    print_rows([*islice(client.team.annotations(**filters), limit)], ANNOTATION_COLUMNS, as_json, annotation_row)


@annotations.command("add")
@click.argument("model")
@click.argument("layer")
@click.argument("unit", type=int)
@note
@click.option("--concept", help="What it detects, in your words.")
@click.option("--category", default="object", show_default=True)
@as_json
@click.pass_obj
def annotate(
    client: Client, model: str, layer: str, unit: int, note: str, concept: str | None, category: str, as_json: bool
) -> None:
    """Write a label, a note or both on a unit."""
    said = client.team.annotate(model, layer, unit, note, concept=concept, category=category)
    print_one(said, ANNOTATION_COLUMNS, as_json, annotation_row)


@annotations.command("withdraw")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def withdraw(client: Client, id: UUID, as_json: bool) -> None:
    """Take an annotation back; what it said is kept."""
    print_one(client.team.withdraw_annotation(id), ANNOTATION_COLUMNS, as_json, annotation_row)
