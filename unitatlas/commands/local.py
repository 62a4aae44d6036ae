"""Commands about the service on this machine: `unitatlas up`, `keys` and `demo`."""

import subprocess
import sys

import click

from unitatlas import demo, up


@click.command("up")
@click.option("--workers", default=1, show_default=True, help="Worker processes on this machine.")
def start(workers: int) -> None:
    """Run API, relay and workers until interrupted."""
    up.run(workers)


@click.command("keys", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def keys(arguments: tuple[str, ...]) -> None:
    """Make, list and revoke API keys, straight in the service's database: `keys create --team NAME`."""
    sys.exit(subprocess.run([sys.executable, "-m", "service", "keys", *arguments]).returncode)


@click.command("demo")
@click.option("--images", default=1000, show_default=True, help="Scenes to look at.")
def demonstrate(images: int) -> None:
    """Dissect the built-in classifier in a fresh data directory, from nothing to a queried unit."""
    demo.run(images)
