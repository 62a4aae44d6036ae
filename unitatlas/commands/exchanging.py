"""`unitatlas jobs export` and `unitatlas import`."""

from pathlib import Path
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.jobs import JOB_COLUMNS, job_row
from unitatlas.commands.options import EXISTING_FILE, as_json
from unitatlas.output import follow, print_one

FORMATS = ("parquet", "csv", "json", "html")


@click.command("export")
@click.argument("id", type=click.UUID)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", type=click.Choice(FORMATS), help="By default the file's ending.")
@click.option("--rows", type=click.Choice(["labels", "units", "matrix"]), help="What a row is; labels by default.")
@click.option("--layer", help="Only this layer.")
@click.pass_obj
def export_job(client: Client, id: UUID, file: Path, format: str | None, rows: str | None, layer: str | None) -> None:
    """Write what a dissection found to FILE: rows as .parquet, .csv or .json, a report as .html."""
    if format is None and file.suffix.removeprefix(".").lower() not in FORMATS:
        raise click.UsageError(f"{file.name!r} ends in none of .{', .'.join(FORMATS)}; name a --format")
    client.job(id).export(file, format=format, rows=rows, layer=layer)
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
