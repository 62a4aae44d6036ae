"""How fast pages are written over a million unit labels and effects and 300,000 attacked images.

Each page is asked for with other names every time, of the whole HTTP stack; `filling` says what is in the database.

    python -m tests.benchmarks.pages
"""

import gc
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

import numpy as np
from flask.testing import FlaskClient

from tests import servers
from tests.benchmarks.filling import ATTACKED, SHARED_NAMES, UNITS, rng
from tests.benchmarks.queries import class_name, concept, filled, frequent, layer, model

REPEATS = 50
BOUND_MS = 200.0


def at_layer() -> str:
    """The address of a layer's page."""
    return f"/models/{model()}/layers/{layer()}"


def of(path: str, **query: object) -> str:
    """An address with its query string."""
    return f"{path}?{urlencode(query)}"


PAGES: dict[str, Callable[[], str]] = {
    "home": lambda: "/",
    "search": lambda: of("/", q=concept()),
    "search for a unit": lambda: of("/", q=f"{model()} {rng.integers(UNITS)}"),
    "models": lambda: "/models",
    "a model": lambda: f"/models/{model()}",
    "a layer": at_layer,
    "a layer, by concept": lambda: of(at_layer(), concept=concept()),
    "a layer, by class": lambda: of(at_layer(), **{"class": class_name()}),
    "a unit": lambda: f"{at_layer()}/units/{rng.integers(UNITS)}",
    "detectors": lambda: of("/units", detectors="true"),
    "concepts": lambda: "/concepts",
    "concepts by name": lambda: of("/concepts", q="concept 1"),
    "a concept": lambda: of("/concept", concept=concept()),
    "the most frequent concept": lambda: of("/concept", concept=frequent),
    "a concept in two categories": lambda: of("/concept", concept=f"concept {rng.integers(SHARED_NAMES)}"),
    "classes": lambda: "/classes",
    "a class": lambda: of("/class", **{"class": class_name()}),
    "a class by a layer": lambda: of("/class", **{"class": class_name(), "model": model(), "layer": layer()}),
    "attacked images": lambda: of("/attacks", source=class_name()),
    "an image": lambda: f"/images/{quote(f'{rng.integers(ATTACKED):064x}')}",
    "jobs": lambda: of("/jobs", kind="ablation"),
    "form": lambda: of(f"/models/{model()}/jobs/new", kind="attack"),
}


def job_address(client: FlaskClient) -> Callable[[], str]:
    """The pages of the dissections that are there."""
    ids = [job["id"] for job in client.get("/v1/jobs?kind=dissection&limit=200").json["data"]]
    return lambda: f"/jobs/{ids[rng.integers(len(ids))]}"


def percentiles(client: FlaskClient, draw: Callable[[], str]) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds that a page takes."""
    times = []
    for _ in range(REPEATS):
        address = draw()
        begin = time.perf_counter()
        reply = client.get(address)
        times.append(1000 * (time.perf_counter() - begin))
        assert reply.status_code == 200, f"{address}: {reply.text}"
    median, slow = np.percentile(times, [50, 99])
    return float(median), float(slow)


def measure(title: str, url: str) -> None:
    """Print a row for each page."""
    with filled(url) as (_, client, _team):
        gc.collect()
        for name, draw in {**PAGES, "a dissection": job_address(client)}.items():
            client.get(draw())  # the template is compiled once
            median, slow = percentiles(client, draw)
            print(f"| {title} | {name} | {median:.0f} | {slow:.0f} |", flush=True)


def main() -> None:
    print(f"| database | page | p50, ms | p99, ms (bound {BOUND_MS:.0f}) |")
    print("|---|---|---|---|")
    servers.on_both(measure)


if __name__ == "__main__":
    main()
