"""The command line `unitatlas`."""

import sys

import click

from unitatlas.client import Client
from unitatlas.commands import (
    attacking,
    catalog,
    comparing,
    exchanging,
    explaining,
    intervening,
    jobs,
    local,
    noting,
    opening,
    painting,
    results,
    team,
    webhooks,
)
from unitatlas.errors import JobFailed, Problem, ServiceUnreachable, UploadError
from unitatlas.export import NotExportable
from unitatlas.up import Failing

EXPECTED = (Problem, ServiceUnreachable, JobFailed, TimeoutError, Failing, NotExportable, UploadError)


def main() -> None:
    """Run the command line; what the service refuses is one message, not a traceback."""
    try:
        cli()
    except EXPECTED as error:
        print(error, file=sys.stderr)
        sys.exit(1)


@click.group()
@click.option("--url", envvar="UNITATLAS_URL", help="Address of the service.")
@click.option("--key", envvar="UNITATLAS_KEY", help="API key.")
@click.pass_context
def cli(context: click.Context, url: str | None, key: str | None) -> None:
    """Find out what each hidden unit of a vision network does."""
    context.obj = Client(url, key)


for command in (
    catalog.models,
    catalog.datasets,
    jobs.jobs,
    results.units,
    results.list_concepts,
    results.list_classes,
    explaining.explain,
    attacking.list_attacks,
    intervening.list_interventions,
    painting.paint,
    painting.paintings,
    exchanging.import_results,
    team.members,
    team.shares,
    team.list_audit,
    team.show_quotas,
    noting.collections,
    noting.annotations,
    opening.open_page,
    webhooks.webhooks,
    local.start,
    local.keys,
    local.demonstrate,
    local.export_network,
):
    cli.add_command(command)

for command in (
    attacking.attack,
    intervening.intervene,
    comparing.show_diff,
    comparing.list_changes,
    comparing.check,
    exchanging.export_job,
):
    jobs.jobs.add_command(command)
