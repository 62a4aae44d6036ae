"""How long a painting takes, from the request to the answer with both pictures, on a warm worker.

The service runs as its real processes, alone (SQLite, files) and as a team (PostgreSQL, Redis), with one worker. The
generator has the built-in one's size and weights drawn by seed; its pictures are labelled by the built-in segmenter and
by colours. A further stroke is laid over a picture that the worker holds; a new picture is another latent's. Wall time.

    python -m tests.benchmarks.painting
"""

import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import redis

from tests import servers
from unitatlas import Client, demo, stroke
from unitatlas.up import Service

LAYER, SIDE = "layer4", 32
REQUESTS, WARMING = 60, 10
SEGMENTATION = ["model:segmenter", "colors"]
REDIS_DATABASE = 15


@contextmanager
def alone() -> Iterator[dict[str, str]]:
    yield {}


@contextmanager
def team() -> Iterator[dict[str, str]]:
    address, name = f"{servers.redis_url()}/{REDIS_DATABASE}", f"unitatlas_{uuid.uuid4().hex[:12]}"
    redis.Redis.from_url(address).flushdb()
    yield {"UNITATLAS_DATABASE_URL": servers.create_database(name), "UNITATLAS_BROKER_URL": address}
    servers.drop_database(name)


@contextmanager
def serving(settings: dict[str, str]) -> Iterator[Client]:
    """A client of a service that runs with these settings."""
    with tempfile.TemporaryDirectory() as name:
        directory, port = Path(name), demo._free_port()
        environment = demo._environment(directory / "data", port) | settings
        environment |= {"UNITATLAS_DEVICE": "cpu", "UNITATLAS_PAINTING_SECONDS": "60"}
        with (
            (directory / "service.log").open("wb") as log,
            Service(environment=environment, log=log, patience=3.0),
            Client(f"http://127.0.0.1:{port}", key="") as client,
        ):
            demo._await_readiness(client)
            client.register_model("generator", "builtin:scenes-generator", kind="generator", weights={"seed": 0})
            client.register_model("segmenter", "builtin:scenes-segmenter", kind="segmenter", weights={"seed": 0})
            yield client


def random_stroke(random: np.random.Generator) -> dict[str, Any]:
    """Twenty units in a rectangle of the picture."""
    top, left = random.integers(0, SIDE - 8, 2)
    pixels = np.zeros(SIDE**2 + 1, bool)
    pixels[1:].reshape(SIDE, SIDE)[top : top + 8, left : left + 8] = True
    ends = np.flatnonzero(pixels[1:] != pixels[:-1])
    mask = {"size": [SIDE, SIDE], "runs": np.diff(ends, prepend=0, append=SIDE**2).tolist()}
    units = random.permutation(128)[:20].tolist()
    return stroke("draw", units, mask) | {"values": [2.0] * len(units)}


def measure(client: Client, latent: Callable[[int], int]) -> list[float]:
    """Milliseconds of each request, each with one stroke more than the last, up to eight."""
    random, seconds = np.random.default_rng(0), []
    for number in range(WARMING + REQUESTS):
        strokes = [random_stroke(random) for _ in range(1 + number % 8)]
        start = time.perf_counter()
        client.paint(
            "generator", LAYER, strokes, latent={"seed": 1, "index": latent(number)}, segmentation=SEGMENTATION
        )
        seconds.append(time.perf_counter() - start)
    return [1000 * second for second in seconds[WARMING:]]


def main() -> None:
    """Measure both ways to run."""
    print(f"| {REQUESTS} paintings, ms | bound | further stroke, median | 90 % | new picture, median | 90 % | load |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for title, way, bound in (("alone: SQLite, files", alone, 250), ("team: PostgreSQL, Redis", team, 120)):
        with way() as settings, serving(settings) as client:
            further, new = (measure(client, latent) for latent in (lambda number: 0, lambda number: 1000 + number))
        figures = [figure for times in (further, new) for figure in (median(times), np.quantile(times, 0.9))]
        shown = " | ".join(f"{figure:.0f}" for figure in figures)
        print(f"| {title} | {bound} | {shown} | {os.getloadavg()[0]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
