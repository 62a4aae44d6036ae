"""`unitatlas jobs intervene` and `unitatlas interventions`."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from unitatlas.client import Client
from unitatlas.commands.jobs import run
from unitatlas.commands.options import EXISTING_FILE, as_json, limited, submitted
from unitatlas.intervening import PixelChange, concept, in_mask
from unitatlas.output import change, interval, print_rows, show_json

ACTIONS = ("remove", "insert")
ORDERS = ("given", "iou", "effect", "greedy")
COLUMNS = ["model", "layer", "done", "order", "n", "concept", "before", "after", "change", "99 % interval", "random"]


@click.command("intervene")
@click.argument("model")
@click.argument("layers", nargs=-1, required=True)
@click.option("--concept", "of", help="Whose best units are changed: tree, or object/tree.")
@click.option("--top", type=click.IntRange(1), help="How many of them; 20 unless told.")
@click.option(
    "--unit", "units", multiple=True, type=click.IntRange(0), help="Units instead; may be there several times."
)
@click.option("--target", help="What the units are changed for, where that is not the concept.")
@click.option("--action", type=click.Choice(ACTIONS), default="remove", show_default=True)
@click.option("--each-cell", is_flag=True, help="At each cell of the map in turn, instead of everywhere.")
@click.option("--mask", type=EXISTING_FILE, help="A PNG over the picture: change units only there.")
@click.option(
    "--size", "sizes", multiple=True, type=click.IntRange(1), help="Units in a set; may be there several times."
)
@click.option("--seed", type=click.IntRange(0), help="Of the latents.")
@click.option("--count", type=click.IntRange(1), help="How many latents.")
@click.option("--rank", is_flag=True, help="Rank the units by what each alone takes away, too.")
@submitted
@as_json
@click.pass_obj
def intervene(
    client: Client,
    /,
    model: str,
    layers: Sequence[str],
    params: dict[str, Any],
    estimate: bool,
    wait: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Remove or insert units of a generator: `jobs intervene MODEL LAYER... --concept tree`."""
    body = {"layer": list(layers), **_body(**given), **params}
    if estimate:
        show_json(client.estimate("intervention", model, **body).raw)
    else:
        run(client.submit("intervention", model, **body), wait, as_json)


def _body(
    of: str | None,
    top: int | None,
    units: Sequence[int],
    target: str | None,
    each_cell: bool,
    mask: Path | None,
    seed: int | None,
    count: int | None,
    rank: bool,
    **given: Any,
) -> dict[str, Any]:
    if (of is None) == (not units):
        raise click.UsageError("name a concept, or units with --unit")
    if each_cell and mask:
        raise click.UsageError("--each-cell and --mask say both where units are changed; leave one out")
    best = {"concept": concept(of)} | ({} if top is None else {"top": top}) if of else None
    chosen: dict[str, Any] = {
        "units": best or list(units),
        "target": concept(target) if target else None,
        "where": "each-cell" if each_cell else in_mask(mask) if mask else None,
        "latents": {"seed": 2 if seed is None else seed, "count": count or 1000} if seed is not None or count else None,
        "ranking": {} if rank else None,
    }
    listed = {name: list(value) if name == "sizes" else value for name, value in given.items() if value}
    return {name: value for name, value in chosen.items() if value is not None} | listed


def intervention_row(row: PixelChange) -> Sequence[object]:
    """A change as a row of a table."""
    place = (row.model, row.layer, f"{row.action} {row.where}", row.order, row.size, f"{row.concept} ({row.category})")
    found = change(row.change), interval(row.change_low, row.change_high)
    random = change(None if row.random is None else row.random.change)
    return *place, row.pixels_before, row.pixels_after, *found, random


@click.command("interventions")
@click.option("--model")
@click.option("--layer")
@click.option("--target", help="What units were changed for.")
@click.option("--concept", help="Whose pixels changed.")
@click.option("--category", help="Of that concept.")
@click.option("--action", type=click.Choice(ACTIONS))
@click.option("--order", type=click.Choice(ORDERS), help="Which units were taken first.")
@click.option("--size", type=click.IntRange(1), help="Units in the set.")
@click.option("--job", type=click.UUID, help="Only what this intervention did.")
@limited
@as_json
@click.pass_obj
def list_interventions(client: Client, /, limit: int, as_json: bool, **filters: object) -> None:
    """List what sets of units did to concepts, newest first, e.g. `interventions --target tree --concept tree`."""
    found = [*islice(client.interventions(**filters, limit=min(limit, 200)), limit)]
    print_rows(found, COLUMNS, as_json, intervention_row)
