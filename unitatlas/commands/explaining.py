"""`unitatlas explain`."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import as_json
from unitatlas.commands.results import unit_row
from unitatlas.explaining import ClassAttack, Explanation, Removal, Removed
from unitatlas.output import (
    EFFECT_COLUMNS,
    SHIFT_COLUMNS,
    cell,
    change,
    effect_cells,
    interval,
    shift_cells,
    show_json,
    show_table,
)
from unitatlas.types import Unit

GROUPS = ("target", "source", "others")
UNIT_COLUMNS = ["unit", "label", "IoU", *EFFECT_COLUMNS]
REMOVED_COLUMNS = ["removed", "balanced accuracy", "change", "95 % interval", "threshold anew", "AUROC", "all classes"]


@click.command("explain")
@click.argument("class_", metavar="CLASS")
@click.option("--model", help="Needed where several models have the class.")
@click.option("--layer", help="Needed where several layers were ablated.")
@click.option("--job", type=click.UUID, help="An ablation, instead of the layer's newest.")
@click.option("--units", type=click.IntRange(1, 50), default=10, show_default=True, help="Units to show.")
@as_json
@click.pass_obj
def explain(
    client: Client, class_: str, model: str | None, layer: str | None, job: UUID | None, units: int, as_json: bool
) -> None:
    """Explain CLASS by units: which matter, what they detect, what removing them does."""
    explanation = client.explain(class_, model=model, layer=layer, job=job, units=units)
    if as_json:
        show_json(explanation.raw)
    else:
        _show(explanation)


def _show(explanation: Explanation) -> None:
    untouched, removing = explanation.untouched, explanation.removing.values()
    click.echo(
        f"{explanation.class_name} by {explanation.layer} of {explanation.model}: {explanation.images} images, "
        f"balanced accuracy {cell(untouched['balanced_accuracy'])}, AUROC {cell(untouched['auroc'])}; "
        f"units that matter beyond chance: {explanation.important_units}"
    )
    click.echo()
    moved = any(unit.shift is not None for unit in explanation.units)
    rows = ((*unit_cells(unit), *(shift_cells(unit.shift) if moved else ())) for unit in explanation.units)
    show_table([*UNIT_COLUMNS, *(SHIFT_COLUMNS if moved else ())], rows)
    click.echo()
    for concept in explanation.concepts:
        units = f"{concept.units} unit{'' if concept.units == 1 else 's'}"
        click.echo(f"{concept.concept} ({concept.category}): {units}, {change(concept.accuracy_change)} together")
    if removing:
        click.echo()
        show_table(REMOVED_COLUMNS, removed_rows(explanation))
    click.echo()
    for verdict in dict.fromkeys([removal.verdict for removal in removing] or [explanation.verdict]):
        click.echo(verdict)
    for attack in filter(None, (explanation.attacks.as_target, *explanation.attacks.as_source)):
        click.echo(attack_line(explanation, attack))


def attack_line(explanation: Explanation, attack: ClassAttack) -> str:
    """A sentence on an attack as the class saw it."""
    source = "" if attack is explanation.attacks.as_target else f" from {explanation.class_name}"
    known = {name: (attack.groups or {}).get(name) for name in GROUPS}
    moved = ", ".join(f"{name} {change(found['mean'])}" for name, found in known.items() if found is not None)
    return (
        f"attacked{source} towards {attack.target or 'any other class'} by {attack.method}: {attack.succeeded} of "
        f"{attack.images} images, mean L2 {cell(attack.mean_l2)}" + (f"; peaks of units: {moved}" if moved else "")
    )


def unit_cells(unit: Unit) -> Sequence[object]:
    """A unit as a row of a table: its label and its effect."""
    assert unit.effect is not None
    return *unit_row(unit)[2:], *effect_cells(unit.effect)


def removed_rows(explanation: Explanation) -> Iterator[Sequence[object]]:
    """Rows of a table: the class untouched, and without each set of units."""
    before = explanation.untouched
    figures = ("rechosen_balanced_accuracy", "auroc", "all_class_accuracy")
    yield "none", before["balanced_accuracy"], None, None, *(before[name] for name in figures)
    for removal in {removal.size: removal for removal in explanation.removing.values()}.values():
        yield _removed(f"{removal.size} most important", removal.most)
        yield _removed(f"{removal.size} least important", removal.least)
        yield _random(removal)
        yield _removed(f"all but {removal.size}", removal.all_but)


def _removed(name: str, row: Removed) -> Sequence[object]:
    changed = change(row.change), interval(row.change_low, row.change_high)
    return name, row.balanced_accuracy, *changed, row.rechosen_balanced_accuracy, row.auroc, row.all_class_accuracy


def _random(removal: Removal) -> Sequence[object]:
    means = {name: band["mean"] for name, band in removal.random.items()}
    figures = (means[name] for name in ("rechosen_balanced_accuracy", "auroc", "all_class_accuracy"))
    return f"{removal.size} random, mean", means["balanced_accuracy"], None, None, *figures
