"""`unitatlas open`."""

import click

from unitatlas.client import Client
from unitatlas.pages import class_page, job_page, unit_page


@click.group("open")
def open_page() -> None:
    """Open a page of the explorer in the browser, and print its address."""


@open_page.command("unit")
@click.argument("model")
@click.argument("layer")
@click.argument("unit", type=click.IntRange(0))
@click.pass_obj
def open_unit(client: Client, model: str, layer: str, unit: int) -> None:
    """Open a unit: its images, labels and effects."""
    _open(unit_page(client.url, model, layer, unit))


@open_page.command("job")
@click.argument("id")
@click.pass_obj
def open_job(client: Client, id: str) -> None:
    """Open a job: its progress, then its figures."""
    _open(job_page(client.url, id))


@open_page.command("class")
@click.argument("model")
@click.argument("class_", metavar="CLASS")
@click.pass_obj
def open_class(client: Client, model: str, class_: str) -> None:
    """Open the explanation of a class."""
    _open(class_page(client.url, model, class_))


def _open(address: str) -> None:
    click.echo(address)
    click.launch(address)
