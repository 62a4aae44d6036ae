"""`unitatlas jobs attack` and `unitatlas attacks`."""

from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import click

from unitatlas.attacking import AttackedImage
from unitatlas.client import Client
from unitatlas.commands.jobs import run
from unitatlas.commands.options import as_json, limited, submitted
from unitatlas.output import print_rows, show_json

OUTCOMES = ("succeeded", "failed", "already_target", "misclassified")
COLUMNS = ["model", "method", "image", "true", "source", "target", "result", "outcome", "L2", "L∞"]


@click.command("attack")
@click.argument("model")
@click.argument("dataset")
@click.option("--layer", "layers", multiple=True, help="Layer whose units are watched; may be there several times.")
@click.option(
    "--target", "targets", multiple=True, help="Class to become, or least-likely; may be there several times."
)
@click.option("--method", help="carlini-wagner-l2 (the default), pgd-linf, pgd-l2, fgsm, deepfool-l2, or another's.")
@click.option("--preset", help="Settings by one name: pnas2020 or carlini2017 of carlini-wagner-l2.")
@click.option("--ablation", type=click.UUID, help="Job whose importance groups the units; by default the newest.")
@click.option("--max-images", type=click.IntRange(1), help="Of each target the first so many.")
@submitted
@as_json
@click.pass_obj
def attack(
    client: Client,
    /,
    model: str,
    dataset: str,
    params: dict[str, Any],
    estimate: bool,
    wait: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Attack a classifier and watch its units: `jobs attack MODEL DATASET --target CLASS --layer LAYER`."""
    body = _body(**given) | params
    if estimate:
        show_json(client.estimate("attack", model, dataset, **body).raw)
    else:
        run(client.submit("attack", model, dataset, **body), wait, as_json)


def _body(layers: Sequence[str], targets: Sequence[str], ablation: UUID | None, **given: Any) -> dict[str, Any]:
    several = {"layer": list(layers), "target": list(targets), "ablation": ablation and str(ablation)}
    return {name: value for name, value in (several | given).items() if value}


def attack_row(row: AttackedImage) -> Sequence[object]:
    """An attacked image as a row of a table."""
    names = (row.model, row.method, row.image, row.true, row.source, row.target, row.result)
    return *names, row.outcome, row.l2, row.linf


@click.command("attacks")
@click.option("--model")
@click.option("--source", help="What the network took the images for before.")
@click.option("--target", help="What it was to take them for.")
@click.option("--outcome", type=click.Choice(OUTCOMES))
@click.option("--job", type=click.UUID, help="Only what this attack did.")
@limited
@as_json
@click.pass_obj
def list_attacks(client: Client, /, limit: int, as_json: bool, **filters: object) -> None:
    """List attacked images, newest attack first, e.g. `attacks --target beach --outcome succeeded`."""
    found = [*islice(client.attacks(**filters, limit=min(limit, 200)), limit)]
    print_rows(found, COLUMNS, as_json, attack_row)
