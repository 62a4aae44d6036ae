"""What the dissection of a layer of a generator costs beyond making and segmenting the same pictures.

The built-in generator and segmenter, the whole job as a worker runs it: exact thresholds, counts, scores with
intervals, and the pictures of top images are part of what is counted. Beside it the same pictures are made and
segmented in the same batches, and nothing else. One thread, CPU time.

    python -m tests.benchmarks.generators
"""

import tempfile
import time
from pathlib import Path

import torch

import service.tables  # noqa: F401
from service.database import Table, make_engine
from service.settings import Settings
from tests.workers.jobs.conftest import Driver
from workers.networks.network import Network, load
from workers.probes.generated import Labels
from workers.probes.label_cache import LabelCache
from workers.probes.segmenters import Segmenter

COUNT, BATCH, LAYER = 2000, 16, "layer4"
GENERATOR, SEGMENTER, SEEDED = "builtin:scenes-generator", "builtin:scenes-segmenter", {"seed": 0}
CPU = torch.device("cpu")


def bare_seconds(generator: Network, labels: Labels, grid: int) -> float:
    """Make and segment the pictures."""
    start = time.process_time()
    for first in range(0, COUNT, BATCH):
        with torch.inference_mode():
            outputs = generator.module(generator.latent.draw(1, first, min(first + BATCH, COUNT)))
        labels.label(generator.latent.pixels(outputs), grid)
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| generator | pictures | units | made and segmented, s | job, s | ratio | bound |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data_dir=Path(name), threads=1)
        Table.metadata.create_all(make_engine(settings))
        driver = Driver(settings)
        driver.done(driver.queue_model("generator", GENERATOR, kind="generator", weights=SEEDED))
        driver.done(driver.queue_model("segmenter", SEGMENTER, kind="segmenter", weights=SEEDED))
        generator = load(GENERATOR, SEEDED, {}, [], driver.store, CPU, kind="generator")
        segmenter = load(SEGMENTER, SEEDED, {}, [], driver.store, CPU, kind="segmenter")
        cache = LabelCache(Path(name) / "cache", 2**20)
        outputs = [concept and [*concept] for concept in segmenter.concepts]
        seen = Segmenter(segmenter.digest, segmenter.input, outputs, lambda: segmenter, cache)
        params = {"latents": {"seed": 1, "count": COUNT}, "segmentation": ["model:segmenter", "colors"]}
        start = time.process_time()
        job = driver.dissect("generator", None, [LAYER], **params)
        whole = time.process_time() - start
        labels = Labels(job.params["segmentation"], {"model:segmenter": seen})
        bare = bare_seconds(generator, labels, job.params["grid"])
    units = job.summary["layers"][0]["units"]
    size = f"{generator.size[0]} px, {LAYER}"
    print(f"| {size} | {COUNT} | {units} | {bare:.1f} | {whole:.1f} | {whole / bare:.3f} | 1.25 |", flush=True)


if __name__ == "__main__":
    main()
