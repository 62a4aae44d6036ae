"""`make demo`: a fresh service, a dissection over HTTP, what it found, and the service stopped again."""

import os
import socket
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from unitatlas.client import Client
from unitatlas.errors import ServiceUnreachable
from unitatlas.output import console, follow, show_table
from unitatlas.types import Unit
from unitatlas.up import Failing, Service

LAYERS = ["features.relu1_1", "features.relu2_2", "features.relu3_2", "features.relu4_2"]
"""What each block of the built-in classifier has come to."""
STARTUP_SECONDS = 120.0
SHUTDOWN_SECONDS = 3.0
"""Nothing of a demo is worth waiting for once it is over."""


def run(images: int) -> None:
    """Dissect the built-in classifier and print what its units detect."""
    data_dir, port = Path(tempfile.mkdtemp(prefix="unitatlas-demo-")), _free_port()
    log = data_dir / "service.log"
    console.print(f"Unit Atlas starts on port {port}, with its data in {data_dir}")
    with log.open("wb") as output, Client(f"http://127.0.0.1:{port}", key="") as client:
        try:
            with Service(environment=_environment(data_dir, port), log=output, patience=SHUTDOWN_SECONDS):
                _await_readiness(client)
                _show(client, images, data_dir)
        except (Failing, ServiceUnreachable) as error:
            raise type(error)(f"{error}; {log} says why") from None


def _environment(data_dir: Path, port: int) -> dict[str, str]:
    """The defaults, whatever this machine is set to otherwise, in a directory and on a port of the demo's own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("UNITATLAS_")}
    return ours | {"UNITATLAS_DATA_DIR": str(data_dir), "UNITATLAS_PORT": str(port)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_readiness(client: Client) -> None:
    end = time.monotonic() + STARTUP_SECONDS
    while not client.ready():
        if time.monotonic() > end:
            raise ServiceUnreachable(f"the service was not ready after {STARTUP_SECONDS:.0f} s")
        time.sleep(0.1)


def _show(client: Client, images: int, data_dir: Path) -> None:
    client.register_model("scenes", "builtin:scenes-classifier")
    client.register_dataset("validation", "scenes", {"builtin": "scenes-validation"})
    job = client.dissect("scenes", "validation", LAYERS, segmentation=["masks", "colors"], max_images=images)
    follow(job)
    for layer in job.summary()["layers"]:
        _show_layer(layer)
    console.print("\n[bold]The ten best detectors[/bold]")
    show_table(["layer", "unit", "concept", "category", "IoU"], map(_row, islice(job.units(detectors=True), 10)))
    _show_picture(client, next(job.units(layer=LAYERS[-1])), data_dir)


def _show_picture(client: Client, unit: Unit, data_dir: Path) -> None:
    picture = client.download(unit.links["picture"].rsplit("/", 1)[-1], data_dir / "best-detector.jpg")
    console.print(f"\nThe images on which {unit.layer} unit {unit.unit} peaks, with its mask:")
    console.print(str(picture), soft_wrap=True)


def _show_layer(layer: dict[str, Any]) -> None:
    bars = layer["chart"]
    console.print(f"\n[bold]{layer['layer']}[/bold]: {layer['detectors']} of {layer['units']} units are detectors")
    if bars:
        console.print("  " + ", ".join(f"{bar['concept']} {bar['units']}" for bar in bars), highlight=False)


def _row(unit: Unit) -> tuple[object, ...]:
    assert unit.label is not None
    return unit.layer, unit.unit, unit.label.concept, unit.label.category, unit.label.iou
