"""`unitatlas paint` and `unitatlas paintings`."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import EXISTING_FILE, as_json, limited
from unitatlas.output import print_rows, show_json, show_table
from unitatlas.painting import PICTURES, ConceptChange, Painting, stroke

COLUMNS = ["id", "model", "layer", "state", "strokes", "created"]
CHANGE_COLUMNS = ["concept", "category", "inside before", "after", "outside before", "after"]
FILE = click.Path(dir_okay=False, path_type=Path)
UNITS = re.compile(r"\d+(,\d+)*")


def _what(text: str) -> str | tuple[str, str] | list[int]:
    """A concept by its name or as category/name, or units with commas between."""
    if UNITS.fullmatch(text):
        return [int(unit) for unit in text.split(",")]
    category, slash, name = text.partition("/")
    return (category, name) if slash else text


def _saved(command: Any) -> Any:
    """Options of every command that shows a painting."""
    for name in reversed(PICTURES):
        command = click.option(f"--{name}", type=FILE, help=f"Where to write the {name} picture, PNG.")(command)
    return as_json(command)


@click.command("paint")
@click.argument("model")
@click.argument("layer")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the latents.")
@click.option("--index", default=0, show_default=True, type=click.IntRange(0), help="Which of the seed's latents.")
@click.option(
    "--stroke",
    "strokes",
    multiple=True,
    type=(click.Choice(["draw", "erase"]), str, EXISTING_FILE),
    help="What to do, to what (tree, object/tree, or units as 3,17), and the mask, PNG; several go over each other.",
)
@click.option("--top", type=click.IntRange(1), help="Units that a stroke takes of a concept.")
@click.option("--strength", default=1.0, show_default=True, type=click.FloatRange(0, 1))
@click.option("--segmentation", multiple=True, help="What pictures are searched for; may be there several times.")
@_saved
@click.pass_obj
def paint(
    client: Client,
    /,
    model: str,
    layer: str,
    seed: int,
    index: int,
    strokes: Sequence[tuple[str, str, Path]],
    top: int | None,
    strength: float,
    segmentation: Sequence[str],
    **shown: Any,
) -> None:
    """Paint on a generator's picture: `paint MODEL LAYER --stroke draw tree mask.png --edited out.png`."""
    laid = [_stroke(*given, top, strength) for given in strokes]
    latent = {"seed": seed, "index": index}
    _show(client, client.paint(model, layer, laid, latent=latent, segmentation=list(segmentation) or None), **shown)


def _stroke(action: str, text: str, mask: Path, top: int | None, strength: float) -> dict[str, Any]:
    what = _what(text)
    return stroke(action, what, mask, top=None if isinstance(what, list) else top, strength=strength)


def _show(client: Client, painting: Painting, as_json: bool, **files: Path | None) -> None:
    for name, file in files.items():
        if file is not None and name in painting.pictures:
            client.download(painting.pictures[name], file)
    if as_json:
        show_json(painting.raw)
        return
    click.echo(f"painting {painting.id}")
    for warning in painting.warnings:
        click.echo(warning, err=True)
    show_table(CHANGE_COLUMNS, map(_change_row, painting.changes))


def _change_row(change: ConceptChange) -> Sequence[object]:
    counts = (where[when] for where in (change.inside, change.outside) for when in ("before", "after"))
    return change.name, change.category, *counts


@click.group()
def paintings() -> None:
    """Paintings: list, show, repeat."""


@paintings.command("list")
@click.option("--model")
@limited
@as_json
@click.pass_obj
def list_paintings(client: Client, model: str | None, limit: int, as_json: bool) -> None:
    """List the paintings, newest first."""
    found = [*islice(client.paintings(model=model, limit=min(limit, 200)), limit)]
    print_rows(found, COLUMNS, as_json, _row)


def _row(painting: Painting) -> Sequence[object]:
    layer, strokes = painting.document["layer"], len(painting.document["strokes"])
    return painting.id, painting.model, layer, painting.state, strokes, painting.created_at


@paintings.command("show")
@click.argument("painting", type=click.UUID)
@_saved
@click.pass_obj
def show_painting(client: Client, /, painting: UUID, **shown: Any) -> None:
    """Show what a painting changed."""
    _show(client, client.painting(painting), **shown)


@paintings.command("repeat")
@click.argument("painting", type=click.UUID)
@_saved
@click.pass_obj
def repeat_painting(client: Client, /, painting: UUID, **shown: Any) -> None:
    """Paint a painting's document again."""
    _show(client, client.repeat(client.painting(painting)), **shown)
