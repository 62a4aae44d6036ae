"""`unitatlas units`, `unitatlas concepts` and `unitatlas classes`."""

from collections.abc import Sequence
from itertools import islice

import click

from unitatlas.client import Client
from unitatlas.commands.options import as_json, limited
from unitatlas.output import (
    EFFECT_COLUMNS,
    MEASURED_COLUMNS,
    SHIFT_COLUMNS,
    cell,
    change,
    effect_cells,
    measured_cells,
    print_rows,
    shift_cells,
    show_json,
    show_table,
)
from unitatlas.types import Unit


@click.group()
def units() -> None:
    """Units: search by concept, show one."""


def unit_row(unit: Unit) -> Sequence[object]:
    """A unit as a row of a table: what was asked for, else its label."""
    label = unit.match or unit.label
    name = "-" if label is None else f"{label.concept} ({label.category})"
    return unit.model, unit.layer, unit.unit, name, 0.0 if label is None else label.iou


def unit_row_by_method(unit: Unit) -> Sequence[object]:
    """The same, with what found the label."""
    found = (None, None) if unit.label is None else (unit.label.method, unit.label.similarity)
    return *unit_row(unit), *found


def unit_row_by_class(unit: Unit) -> Sequence[object]:
    """The same, with the effect on the class that was asked for."""
    assert unit.effect is not None
    return *unit_row(unit), unit.effect.rank, *effect_cells(unit.effect)


def unit_row_by_attack(unit: Unit) -> Sequence[object]:
    """The same, with how an attack towards the class moved the unit."""
    return *unit_row_by_class(unit), *shift_cells(unit.shift)


def unit_row_by_removal(unit: Unit) -> Sequence[object]:
    """The same, with what removing the unit does to the concept that was asked for."""
    return *unit_row(unit), unit.measured and unit.measured.rank, *measured_cells(unit.measured)


@units.command("list")
@click.option("--class", "class_", help="What the units shall matter to; most damaging first.")
@click.option("--concept", help="What the units shall detect.")
@click.option("--category", help="Category of the concept.")
@click.option("--model")
@click.option("--layer")
@click.option("--job", help="Only what this job found.")
@click.option("--method", help="What found the labels: dissection, the tool of an import, or any.")
@click.option("--min-iou", type=float)
@click.option("--detectors", is_flag=True, default=None, help="Only units above the cut-off.")
@click.option("--sort")
@limited
@as_json
@click.pass_obj
def list_units(client: Client, /, limit: int, as_json: bool, **filters: object) -> None:
    """List units, best match first, e.g. `units list --concept tree` or `units list --class forest`."""
    found = [*islice(client.units(**filters, limit=min(limit, 200)), limit)]
    columns = ["model", "layer", "unit", "concept", "IoU"]
    if any(unit.measured is not None for unit in found):
        print_rows(found, [*columns, "rank", *MEASURED_COLUMNS], as_json, unit_row_by_removal)
    elif any(unit.shift is not None for unit in found):
        print_rows(found, [*columns, "rank", *EFFECT_COLUMNS, *SHIFT_COLUMNS], as_json, unit_row_by_attack)
    elif filters["class_"] is not None:
        print_rows(found, [*columns, "rank", *EFFECT_COLUMNS], as_json, unit_row_by_class)
    elif filters["method"] is not None:
        print_rows(found, [*columns, "method", "similarity"], as_json, unit_row_by_method)
    else:
        print_rows(found, columns, as_json, unit_row)


@units.command("show")
@click.argument("model")
@click.argument("layer")
@click.argument("unit", type=int)
@as_json
@click.pass_obj
def show_unit(client: Client, model: str, layer: str, unit: int, as_json: bool) -> None:
    """Show all that is known of one unit."""
    details = client.unit(model, layer, unit)
    if as_json:
        show_json(details.raw)
        return
    click.echo(f"{model} {layer} unit {unit}, threshold {cell(details.threshold)}")
    labels = ((label.concept, label.category, label.iou, label.intersection, label.union) for label in details.labels)
    show_table(["concept", "category", "IoU", "intersection", "union"], labels)
    if details.importance is not None:
        click.echo(
            f"classes that have it among their four most damaging: {details.importance}; without it the all-class "
            f"accuracy changes by {change(details.accuracy_change)}"
        )
        effects = ((effect.class_name, effect.rank, *effect_cells(effect)) for effect in details.effects)
        show_table(["class", "rank", *EFFECT_COLUMNS], effects)
    if details.attacks:
        shifts = ((shift.target or "any other", shift.rank, *shift_cells(shift)) for shift in details.attacks)
        show_table(["attack towards", "rank", *SHIFT_COLUMNS], shifts)


@click.command("concepts")
@click.option("--category")
@click.option("--q", help="Part of the name.")
@limited
@as_json
@click.pass_obj
def list_concepts(client: Client, category: str | None, q: str | None, limit: int, as_json: bool) -> None:
    """List concepts with how many units were found for each."""
    found = [*islice(client.concepts(category=category, q=q), limit)]
    columns = ["concept", "category", "units", "detectors"]
    print_rows(found, columns, as_json, lambda c: (c.name, c.category, c.units, c.detectors))


@click.command("classes")
@click.option("--model")
@click.option("--q", help="Part of the name.")
@limited
@as_json
@click.pass_obj
def list_classes(client: Client, model: str | None, q: str | None, limit: int, as_json: bool) -> None:
    """List classes with how many units matter to each."""
    found = [*islice(client.classes(model=model, q=q, limit=min(limit, 200)), limit)]
    columns = ["model", "index", "class", "important units"]
    print_rows(found, columns, as_json, lambda c: (c.model, c.index, c.name, c.important_units))
