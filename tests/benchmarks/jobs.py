"""What whole dissection jobs cost beyond the bare forward passes over the same images.

A job is run as a worker runs it, from the first shard to the rows in the database: decoding, labels, exact thresholds,
counts, scores with intervals, and pictures are part of what is counted. Each batch also passes a network of the same
kind alone, before or after in turn, so that whatever else the machine does falls on both alike. One thread, CPU time.

    python -m tests.benchmarks.jobs
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision import models

import service.tables  # noqa: F401
from service.database import Table, make_engine
from service.jobs.tables import Job
from service.settings import Settings
from tests.workers.jobs.conftest import Driver
from tests.workers.jobs.worlds import World
from workers.jobs.dissection import forward

IMAGES, CHANNELS, CONCEPTS, GRID = 128, 6, 300, 56
VGG_CONVOLUTIONS = [f"features.{index}" for index in (1, 3, 6, 8, 11, 13, 15, 18, 20, 22, 25, 27, 29)]


@dataclass(frozen=True)
class Case:
    """One job to measure."""

    title: str
    source: str
    layers: list[str]
    images: int = IMAGES
    side: int = 224
    grid: int = GRID


CASES = {
    "conv5_3": Case("VGG-16 conv5_3", "torchvision:vgg16", VGG_CONVOLUTIONS[-1:]),
    "convolutions": Case("VGG-16, 13 convolutions", "torchvision:vgg16", VGG_CONVOLUTIONS),
    "many": Case(
        "ResNet-18, 5 layers, 32 px",
        "torchvision:resnet18",
        ["relu", "layer1", "layer2", "layer3", "layer4"],
        images=4000,
        side=32,
        grid=8,
    ),
}


def smooth_images(count: int, side: int) -> list[np.ndarray]:
    """Images with structure at every scale, as photographs have; each depends on its index alone."""
    images = []
    for index in range(count):
        noise = torch.Generator().manual_seed(index)
        scales = [torch.randn(1, 3, size, size, generator=noise) for size in (4, 14, 56, 224)]
        layers = [
            weight * interpolate(scale, side, mode="bilinear")
            for weight, scale in zip((1.0, 0.6, 0.3, 0.1), scales, strict=True)
        ]
        pixels = (128 + 60 * torch.stack(layers).sum(0)[0]).clamp(0, 255)
        images.append(pixels.permute(1, 2, 0).to(torch.uint8).numpy())
    return images


def patchy_world(count: int, side: int) -> World:
    """Six categories with an equal share of the concepts each, in patches of an eighth of the side."""
    share = CONCEPTS // CHANNELS
    categories = [f"category{channel}" for channel in range(CHANNELS)]
    random = np.random.default_rng(0)
    masks = {
        category: [
            np.kron(random.integers(0, share + 1, (8, 8)), np.ones((side // 8, side // 8))).astype(np.uint8)
            for _ in range(count)
        ]
        for category in categories
    }
    concepts = [(category, f"concept{number}") for category in categories for number in range(share)]
    return World(smooth_images(count, side), concepts, masks)


class Bare:
    """Passes each batch of a job through a network of the same kind alone, in float32, and counts the CPU seconds."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.seconds, self.calls = module, 0.0, 0
        self.waiting: Tensor | None = None

    def watch(self, give: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """Wrap the function that every batch of the job goes through before its network."""

        def watched(pixels: Tensor, *how: Any) -> Tensor:
            self.finish()
            self.waiting, self.calls = pixels, self.calls + 1
            if self.calls % 2:  # whoever comes second finds the caches warm: take turns
                self.finish()
            return give(pixels, *how)

        return watched

    def finish(self) -> None:
        if self.waiting is not None:
            self.pass_alone(self.waiting)
            self.waiting = None

    def pass_alone(self, pixels: Tensor) -> None:
        start = time.process_time()
        with torch.inference_mode():
            self.module(pixels)
        self.seconds += time.process_time() - start


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the bare passes and of the job beside them; memory in MiB beyond that of a bare pass."""

    bare: float
    beside: float
    memory: float
    job: Job


def measure(case: Case, directory: Path) -> Cost:
    """Run a case's job over the images that lie in the directory."""
    torch.set_num_threads(1)
    settings = Settings(data_dir=directory, import_dir=directory / "import", threads=1)
    Table.metadata.create_all(make_engine(settings))
    driver = Driver(settings)
    driver.done(driver.queue_dataset("world"))
    driver.done(driver.queue_model("model", case.source, input={"resize": [case.side, case.side], "crop": None}))
    bare = Bare(models.get_model(case.source.removeprefix("torchvision:"), weights=None).eval())
    bare.pass_alone(torch.zeros(16, 3, case.side, case.side))
    own = peak_memory()
    with patched(forward, "as_input", bare.watch(forward.as_input)):
        bare.seconds, start = 0.0, time.process_time()
        job = driver.dissect("model", "world", case.layers, grid=case.grid)
        bare.finish()
        total = time.process_time() - start
    return Cost(bare.seconds, total - bare.seconds, peak_memory() - own, job)


@contextmanager
def patched(module: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


def peak_memory() -> float:
    """The most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def write_world(case: Case, directory: Path) -> None:
    """Write a case's images, in a process of its own so that its memory is not the job's."""
    patchy_world(case.images, case.side).write(directory / "import" / "world")


def main() -> None:
    """Measure every case in a process of its own."""
    print("| whole job | images | units | bare passes, s | job, s | ratio | memory beyond, MiB |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as directory:
            for target in (write_world, report):
                process = get_context("spawn").Process(target=target, args=(CASES[name], Path(directory)))
                process.start()
                process.join()
                assert process.exitcode == 0


def report(case: Case, directory: Path) -> None:
    """Print a case's line of the table."""
    cost = measure(case, directory)
    units = sum(layer["units"] for layer in cost.job.summary["layers"])
    print(
        f"| {case.title} | {case.images} | {units} | {cost.bare:.1f} | {cost.beside:.1f} "
        f"| {cost.beside / cost.bare:.3f} | {cost.memory:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
