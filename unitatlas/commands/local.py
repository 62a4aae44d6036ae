"""Commands about this machine: `unitatlas up`, `keys`, `demo` and `export`."""

import subprocess
import sys
from pathlib import Path

import click

from unitatlas import demo, up
from unitatlas.export import export


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


class ImageSize(click.ParamType[tuple[int, int, int]]):
    """Channels, height and width, such as 3,224,224."""

    name = "channels,height,width"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        """Read three whole numbers."""
        sides = [int(side) for side in value.split(",") if side.strip().isdecimal()]
        if len(sides) != 3 or value.count(",") != 2:
            self.fail(f"{value!r} is not channels, height and width, as 3,224,224", param, ctx)
        return sides[0], sides[1], sides[2]


@click.command("export")
@click.argument("network")
@click.option("--input", "size", type=ImageSize(), required=True, help="What the network takes, e.g. 3,224,224.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .pt2 file to write.")
def export_network(network: str, size: tuple[int, int, int], output: Path) -> None:
    """Write what a function of yours builds as an archive for `models add NAME exported`: `export my_module.py:build`.

    The code stays here; the archive holds the operators that it calls, and the weights.
    """
    export(network, size, output)
