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
from unitatlas.up import Service

LAYERS_SHOWN = 4
STARTUP_SECONDS = 60.0


def run(images: int) -> None:
    """Dissect the last layers of the built-in classifier and print what its units detect."""
    data_dir = Path(tempfile.mkdtemp(prefix="unitatlas-demo-"))
    port = _free_port()
    environment = os.environ | {"UNITATLAS_DATA_DIR": str(data_dir), "UNITATLAS_PORT": str(port)}
    for name in ("UNITATLAS_DATABASE_URL", "UNITATLAS_BROKER_URL", "UNITATLAS_HOST"):
        environment.pop(name, None)
    console.print(f"Unit Atlas in {data_dir}, on port {port}")
    with Service(environment=environment) as service, Client(f"http://127.0.0.1:{port}") as client:
        _await_readiness(client, service)
        _dissect(client, images, data_dir)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_readiness(client: Client, service: Service) -> None:
    end = time.monotonic() + STARTUP_SECONDS
    while not client.ready():
        service.tend()
        if time.monotonic() > end:
            raise ServiceUnreachable(f"the service was not ready after {STARTUP_SECONDS:.0f} s")
        time.sleep(0.2)


def _dissect(client: Client, images: int, data_dir: Path) -> None:
    client.register_model("scenes", "builtin:scenes-classifier")
    client.register_dataset("scenes-validation", "scenes", {"builtin": "scenes-validation"})
    layers = _last_of_each_size(client)
    job = client.dissect("scenes", "scenes-validation", layers=layers, max_images=images)
    follow(job)
    for layer in job.summary()["layers"]:
        _show_layer(layer)
    best = [*islice(job.units(detectors=True), 10)]
    console.print("\n[bold]The ten best detectors[/bold]")
    show_table(["layer", "unit", "concept", "category", "IoU"], map(_detector, best))
    picture = client.download(best[0].links["picture"].rsplit("/", 1)[-1], data_dir / "best-detector.jpg")
    console.print(f"\nTop images of {best[0].layer} unit {best[0].unit} with its mask: {picture}")


def _last_of_each_size(client: Client) -> list[str]:
    """The last layer at each map size: what a stage of the network has come to."""
    last = {(layer.height, layer.width): layer.name for layer in client.layers("scenes")}
    return list(last.values())[-LAYERS_SHOWN:]


def _show_layer(layer: dict[str, Any]) -> None:
    bars = layer["chart"]
    detectors = sum(bar["units"] for bar in bars)
    console.print(f"\n[bold]{layer['layer']}[/bold]: {detectors} of {layer['units']} units are detectors")
    console.print("  " + ", ".join(f"{bar['concept']} {bar['units']}" for bar in bars) if bars else "  of nothing")


def _detector(unit: Unit) -> tuple[object, ...]:
    assert unit.label is not None
    return unit.layer, unit.unit, unit.label.concept, unit.label.category, unit.label.iou
