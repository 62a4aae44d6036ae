"""`unitatlas jobs export` and `unitatlas import`."""

from pathlib import Path
from typing import Any
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.jobs import JOB_COLUMNS, job_row
from unitatlas.commands.options import EXISTING_FILE, as_json
from unitatlas.output import follow, print_one

FORMATS = ("parquet", "csv", "json", "html", "safetensors")
ROWS = ("labels", "units", "matrix", "effects", "classes", "curves", "images", "targets", "groups")


@click.command("export")
@click.argument("id", type=click.UUID)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", type=click.Choice(FORMATS), help="By default the file's ending.")
@click.option(
    "--rows",
    type=click.Choice(ROWS),
    help="What a row is: labels (the default), units or matrix of a dissection; effects (the default), units, classes, "
    "curves or matrix of an ablation; images (the default), units, targets or groups of an attack.",
)
@click.option("--layer", help="Only this layer.")
@click.option("--class", "class_", help="With .safetensors: the class whose units are taken out.")
@click.option("--n", type=click.IntRange(1), help="With .safetensors: how many of its most important units.")
@click.pass_obj
def export_job(client: Client, /, id: UUID, file: Path, format: str | None, **wanted: Any) -> None:
    """Write what a job found to FILE: rows as .parquet, .csv or .json, a report as .html.

    Of an ablation also the network without the N most important units of a class, as .safetensors.
    """
    if format is None and file.suffix.removeprefix(".").lower() not in FORMATS:
        raise click.UsageError(f"{file.name!r} ends in none of .{', .'.join(FORMATS)}; name a --format")
    client.job(id).export(file, format=format, **wanted)
    click.echo(f"{file}: {file.stat().st_size:,} bytes", err=True)


@click.command("import")
@click.argument("file", type=EXISTING_FILE)
@click.option("--model", required=True, help="Model that the results are about.")
@click.option("--layer", help="Layer that they are about, where the file does not say it.")
@click.option(
    "--format", required=True, type=click.Choice(["netdissect", "netdissect-lite", "clip-dissect"]), help="The tool."
)
@as_json
@click.pass_obj
def import_results(client: Client, file: Path, model: str, layer: str | None, format: str, as_json: bool) -> None:
    """Import another tool's labels from its CSV file, to be searched by `units list --method`."""
    job = client.import_results(file, model, format, layer=layer)
    follow(job, quiet=as_json)
    print_one(job, JOB_COLUMNS, as_json, job_row)
