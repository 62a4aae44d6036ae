"""`unitatlas jobs diff`, `jobs changes` and `jobs check`."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import Assertions, AssertionsFile, as_json, asserted, limited
from unitatlas.comparing import ComparedLayers, Diff, UnitChange
from unitatlas.output import cell, hold, print_rows, show_json, show_table
from unitatlas.types import Label

SIDES = ["detectors a", "detectors b", "mean IoU a", "mean IoU b"]
DIFF_COLUMNS = ["layer", *SIDES, "gained", "lost", "changed", "mean difference"]
CHANGE_COLUMNS = ["layer", "unit", "change", "label a", "IoU a", "label b", "IoU b", "difference"]

layer_a = click.option("--layer-a", help="Layer of A; without it the layers of one name in both, or the only ones.")
layer_b = click.option("--layer-b", help="Layer of B.")


def diff_row(layers: ComparedLayers) -> Sequence[object]:
    """Two layers as a row of a table."""
    a, b, units = layers.a, layers.b, layers.by_unit
    name = a.layer if a.layer == b.layer else f"{a.layer} / {b.layer}"
    moved = (units.gained, units.lost, units.changed, units.mean_iou_difference) if units else (None,) * 4
    return name, a.detectors, b.detectors, a.mean_best_iou, b.mean_best_iou, *moved


def change_row(row: UnitChange) -> Sequence[object]:
    """A changed unit as a row of a table."""
    return row.layer, row.unit, row.change, *_label(row.a), *_label(row.b), f"{row.iou_difference:+.4f}"


def _label(label: Label | None) -> tuple[str, float | None] | tuple[None, None]:
    return (None, None) if label is None else (f"{label.concept} ({label.category})", label.iou)


@click.command("diff")
@click.argument("a", type=click.UUID)
@click.argument("b", type=click.UUID)
@layer_a
@layer_b
@as_json
@click.pass_obj
def show_diff(client: Client, a: UUID, b: UUID, layer_a: str | None, layer_b: str | None, as_json: bool) -> None:
    """Compare two dissections, A before and B after."""
    diff = client.diff(a, b, layer_a=layer_a, layer_b=layer_b)
    if as_json:
        show_json(diff.raw)
    else:
        _show(diff)


def _show(diff: Diff) -> None:
    for difference in diff.differences:
        click.echo(f"{difference['name']}: {cell(difference['a'])} in a, {cell(difference['b'])} in b")
    show_table(DIFF_COLUMNS, map(diff_row, diff.layers))
    for layers in diff.layers:
        for what, concepts in (("gained", layers.concepts_gained), ("lost", layers.concepts_lost)):
            if concepts:
                names = ", ".join(f"{concept['concept']} ({concept['category']})" for concept in concepts)
                click.echo(f"{layers.b.layer}, concepts {what}: {names}")
    for side, alone in (("a", diff.only_in_a), ("b", diff.only_in_b)):
        if alone:
            click.echo(f"only in {side}: {', '.join(alone)}")


@click.command("changes")
@click.argument("a", type=click.UUID)
@click.argument("b", type=click.UUID)
@layer_a
@layer_b
@click.option("--change", type=click.Choice(["gained", "lost", "changed"]), help="Only these.")
@limited
@as_json
@click.pass_obj
def list_changes(client: Client, /, a: UUID, b: UUID, limit: int, as_json: bool, **filters: str | None) -> None:
    """List the units whose label is another one in B, those whose IoU moved furthest first."""
    found = [*islice(client.changes(a, b, **filters), limit)]
    print_rows(found, CHANGE_COLUMNS, as_json, change_row)


@click.command("check")
@click.argument("id", type=click.UUID)
@asserted
@click.option(
    "--file",
    "more",
    type=AssertionsFile(),
    default=[],
    help='File of assertions as the service takes them: {"assertions": [...]}.',
)
@as_json
@click.pass_obj
def check(client: Client, id: UUID, asserted: Assertions, more: Assertions, as_json: bool) -> None:
    """Check what a dissection is asserted to have found; end with 1 where it falls short."""
    if not [*asserted, *more]:
        raise click.UsageError("nothing is asserted; give --assert or --file")
    verdict = client.job(id).check([*asserted, *more])
    if as_json:
        show_json(verdict.raw)
    hold(verdict)
