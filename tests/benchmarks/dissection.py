"""What a dissection costs beyond the bare forward passes over the same images.

VGG-16 at 224 px, untrained, 128 images, 300 concepts in 6 label channels, grid 56, one thread. Bare and dissected
batches alternate, so that whatever else the machine does falls on both alike; both are counted in CPU time. The pilot,
the thresholds, the counts and the labels are part of what is counted.

    python -m tests.benchmarks.dissection
"""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial, reduce
from operator import add

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import vgg16

from workers.analysis.collecting import BatchMaps, LayerCollector, LayerShard, batch_maps
from workers.analysis.intersections import count, iou, label_table
from workers.analysis.labels import alive, best_concepts, notable_pairs
from workers.analysis.thresholds import pilot_bounds, thresholds
from workers.analysis.upsampling import Mode, sample_grid
from workers.networks.taps import stream

IMAGES, PILOT, SHARD, BATCH = 128, 32, 64, 16
CONCEPTS, CHANNELS, GRID, TOP, QUANTILE = 300, 6, 56, 5, 0.01
MODE: Mode = "zero"
LAST_CONVOLUTION = ["features.29"]
ALL_CONVOLUTIONS = [f"features.{index}" for index in (1, 3, 6, 8, 11, 13, 15, 18, 20, 22, 25, 27, 29)]


class Clock:
    """CPU seconds spent in each of two kinds of work."""

    def __init__(self) -> None:
        self.seconds = {"bare": 0.0, "dissection": 0.0}

    @contextmanager
    def counts(self, kind: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[kind] += time.process_time() - start


def smooth_images(images: NDArray[np.int64]) -> Tensor:
    """Images (B, 3, 224, 224) with structure at every scale, as photographs have; each depends on its index alone."""
    batch = []
    for index in images.tolist():
        noise = torch.Generator().manual_seed(index)
        scales = [torch.randn(1, 3, side, side, generator=noise) for side in (4, 14, 56, 224)]
        batch.append(
            sum(w * interpolate(s, 224, mode="bilinear") for w, s in zip((1.0, 0.6, 0.3, 0.1), scales, strict=True))
        )
    return torch.cat(batch)


def patchy_labels(images: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Labels (B, channels, G, G): an equal share of the concepts in each channel, in patches of 7 by 7."""
    patch, share = GRID // 8, CONCEPTS // CHANNELS
    random = np.random.default_rng(0).integers(0, share + 1, (IMAGES, CHANNELS, 8, 8), dtype=np.uint16)
    first = (np.arange(CHANNELS, dtype=np.uint16) * share)[:, None, None]
    labels = np.where(random > 0, random + first, 0).astype(np.uint16)[images]
    return labels.repeat(patch, axis=2).repeat(patch, axis=3)


class Dissection:
    """One pass over the images, held in memory: as a job does it, with the same functions."""

    def __init__(self, network: nn.Module, layers: list[str]) -> None:
        self.network, self.layers, self.clock = network, layers, Clock()
        self.pilot = np.arange(0, IMAGES, IMAGES // PILOT)
        rest = np.setdiff1d(np.arange(IMAGES), self.pilot)
        self.shards = [self.pilot, *np.split(rest, range(SHARD, len(rest), SHARD))]
        self.held: dict[str, list[BatchMaps]] = {name: [] for name in layers}
        self.collected: dict[str, list[LayerShard]] = {name: [] for name in layers}
        self.bounds: dict[str, NDArray[np.float32]] = {}

    def run(self) -> dict[str, NDArray[np.int64]]:
        """Each unit's label, by layer."""
        for images in batches(self.pilot):
            self.forward(images, {name: partial(self.hold, name) for name in self.layers})
        with self.clock.counts("dissection"):
            self.bounds = {name: self.bound(held) for name, held in self.held.items()}
        for shard in self.shards:
            self.collect(shard)
        tables = [patchy_labels(shard) for shard in self.shards]
        with self.clock.counts("dissection"):
            tables = [label_table(labels) for labels in tables]
            return {name: measure(self.collected[name], self.bounds[name], tables) for name in self.layers}

    def hold(self, name: str, maps: Tensor) -> None:
        self.held[name].append(batch_maps(maps, GRID, MODE))

    def bound(self, held: list[BatchMaps]) -> NDArray[np.float32]:
        samples = [
            sample_grid(batch.maps, images, GRID, MODE) for batch, images in zip(held, batches(self.pilot), strict=True)
        ]
        return pilot_bounds(torch.cat(samples).numpy(), QUANTILE)

    def collect(self, shard: NDArray[np.int64]) -> None:
        collectors = {
            name: LayerCollector(torch.from_numpy(self.bounds[name]), GRID, MODE, TOP) for name in self.layers
        }
        if shard is self.pilot:
            with self.clock.counts("dissection"):
                for name in self.layers:
                    for batch, images in zip(self.held.pop(name), batches(shard), strict=True):
                        collectors[name].add(batch, images)
        else:
            for images in batches(shard):
                self.forward(images, {name: partial(take, collectors[name], images) for name in self.layers})
        with self.clock.counts("dissection"):
            for name in self.layers:
                self.collected[name].append(collectors.pop(name).shard())

    def forward(self, images: NDArray[np.int64], consumers: dict[str, partial[None]]) -> None:
        batch = smooth_images(images)
        # Whoever comes second finds caches and memory warm: take turns.
        turns = [("bare", {}), ("dissection", consumers)]
        for kind, hooks in turns if images[0] // BATCH % 2 else reversed(turns):
            with self.clock.counts(kind), stream(self.network, hooks, dict.fromkeys(hooks, 1)):
                self.network(batch)


def batches(images: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.split(images, range(BATCH, len(images), BATCH))


def take(collector: LayerCollector, images: NDArray[np.int64], maps: Tensor) -> None:
    collector.add(batch_maps(maps, GRID, MODE), images)


def measure(
    shards: list[LayerShard], bounds: NDArray[np.float32], tables: list[NDArray[np.uint16]]
) -> NDArray[np.int64]:
    minima = np.min([shard.minima for shard in shards], axis=0)
    maxima = np.max([shard.peaks.max(axis=0) for shard in shards], axis=0)
    levels, known = thresholds([shard.candidates for shard in shards], bounds, minima, IMAGES * GRID**2, QUANTILE)
    assert known.all(), "a pilot's bound was too high: the figures below would lack the second pass"
    counts = [count(shard.candidates, levels, table, CONCEPTS) for shard, table in zip(shards, tables, strict=True)]
    scores = iou(reduce(add, counts))
    living = alive(levels, minima, maxima)
    notable_pairs(scores, living)
    return best_concepts(scores, living)


def peak_memory() -> float:
    """The most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = vgg16(weights=None).eval()
    with torch.inference_mode():
        network(smooth_images(np.arange(BATCH)))
        own = peak_memory()
        print("| dissection of VGG-16 | units | bare, s | dissected, s | ratio | bound | memory beyond, MiB |")
        print("|---|---|---|---|---|---|---|")
        for title, layers, bound in (("conv5_3", LAST_CONVOLUTION, 1.08), ("13 convolutions", ALL_CONVOLUTIONS, 1.30)):
            dissection = Dissection(network, layers)
            units = sum(map(len, dissection.run().values()))
            bare, dissected = dissection.clock.seconds["bare"], dissection.clock.seconds["dissection"]
            print(
                f"| {title} | {units} | {bare:.1f} | {dissected:.1f} | {dissected / bare:.3f} | {bound:.2f} "
                f"| {peak_memory() - own:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
