"""What a dissection costs beyond the bare forward passes over the same images.

Untrained networks at 224 px, 128 images, 300 concepts in 6 label channels, grid 56, one thread. Bare and dissected
batches alternate, so that whatever else the machine does falls on both alike; both are counted in CPU time. The pilot,
the thresholds, the counts and the labels are part of what is counted; scores beyond IoU stand apart, and `jobs`
measures whole jobs.

    python -m tests.benchmarks.dissection
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial, reduce
from operator import add
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import resnet18, vgg16

from workers.analysis.bootstrap import iou_intervals
from workers.analysis.collecting import BatchMaps, LayerCollector, LayerShard, batch_maps
from workers.analysis.intersections import count, count_by_image, image_totals, iou, label_table
from workers.analysis.labels import alive, best_concepts, notable_pairs
from workers.analysis.presence import presence_scores, rank
from workers.analysis.thresholds import pilot_bounds, thresholds
from workers.analysis.upsampling import Mode, sample_grid
from workers.networks.precision import as_input
from workers.networks.taps import stream

IMAGES, PILOT, SHARD, BATCH = 128, 32, 64, 16
CONCEPTS, CHANNELS, GRID, TOP, QUANTILE = 300, 6, 56, 5, 0.01
MODE: Mode = "zero"
CPU = torch.device("cpu")
LAST_CONVOLUTION = ["features.29"]
ALL_CONVOLUTIONS = [f"features.{index}" for index in (1, 3, 6, 8, 11, 13, 15, 18, 20, 22, 25, 27, 29)]


class Clock:
    """CPU seconds spent in each kind of work."""

    def __init__(self) -> None:
        self.seconds = {"bare": 0.0, "dissection": 0.0, "scores": 0.0}

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

    def __init__(self, network: nn.Module, layers: list[str], precision: torch.dtype) -> None:
        self.bare, self.network, self.layers, self.clock = network, network, layers, Clock()
        self.precision = "float32"
        if precision == torch.bfloat16:
            self.precision = "bfloat16"
            self.network = deepcopy(network).to(torch.bfloat16).to(memory_format=torch.channels_last)
        self.network(as_input(smooth_images(np.arange(BATCH)), CPU, self.precision))
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
            measured = {name: measure(self.collected[name], self.bounds[name], tables) for name in self.layers}
        with self.clock.counts("scores"):
            for name, found in measured.items():
                score(self.collected[name], tables, found)
        return {name: found.labels for name, found in measured.items()}

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
        turns = [self.pass_bare, partial(self.pass_dissected, consumers)]
        # Whoever comes second finds caches and memory warm: take turns.
        for turn in turns if images[0] // BATCH % 2 else reversed(turns):
            turn(batch)

    def pass_bare(self, batch: Tensor) -> None:
        with self.clock.counts("bare"):
            self.bare(batch)

    def pass_dissected(self, consumers: dict[str, partial[None]], batch: Tensor) -> None:
        with self.clock.counts("dissection"), stream(self.network, consumers, dict.fromkeys(consumers, 1)):
            self.network(as_input(batch, CPU, self.precision))


def batches(images: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.split(images, range(BATCH, len(images), BATCH))


def take(collector: LayerCollector, images: NDArray[np.int64], maps: Tensor) -> None:
    collector.add(batch_maps(maps, GRID, MODE), images)


class Measured(NamedTuple):
    """A layer's units: thresholds (U,), IoU (U, C), labels (U,), and which of them respond to anything (U,)."""

    levels: NDArray[np.float64]
    iou: NDArray[np.float64]
    labels: NDArray[np.int64]
    alive: NDArray[np.bool_]


def measure(shards: list[LayerShard], bounds: NDArray[np.float32], tables: list[NDArray[np.uint16]]) -> Measured:
    minima = np.min([shard.minima for shard in shards], axis=0)
    maxima = np.max([shard.peaks.max(axis=0) for shard in shards], axis=0)
    levels, known = thresholds([shard.candidates for shard in shards], bounds, minima, IMAGES * GRID**2, QUANTILE)
    assert known.all(), "a pilot's bound was too high: the figures below would lack the second pass"
    counts = reduce(
        add, [count(shard.candidates, levels, table, CONCEPTS) for shard, table in zip(shards, tables, strict=True)]
    )
    scores, living = iou(counts), alive(levels, minima, maxima)
    return Measured(levels, scores, best_concepts(scores, living), living)


def score(shards: list[LayerShard], tables: list[NDArray[np.uint16]], found: Measured) -> None:
    levels, labels = found.levels, found.labels
    sizes = [len(shard.peaks) for shard in shards]
    totals = np.concatenate([image_totals(t, n, CONCEPTS) for t, n in zip(tables, sizes, strict=True)])
    presence_scores(
        rank(np.concatenate([shard.peaks for shard in shards])), totals, *notable_pairs(found.iou, found.alive)
    )
    shared, unions = np.zeros((2, IMAGES, len(labels)), np.int64)
    for unit in np.flatnonzero(labels >= 0).tolist():
        parts = [
            count_by_image(shard.candidates.above(unit, levels[unit]), table, labels[unit], size)
            for shard, table, size in zip(shards, tables, sizes, strict=True)
        ]
        shared[:, unit], areas = (np.concatenate(part) for part in zip(*parts, strict=True))
        unions[:, unit] = areas + totals[:, labels[unit]] - shared[:, unit]
    iou_intervals(shared, unions)


CASES = (
    ("VGG-16 conv5_3", vgg16, LAST_CONVOLUTION, torch.float32, 1.08),
    ("VGG-16, 13 convolutions", vgg16, ALL_CONVOLUTIONS, torch.float32, 1.30),
    ("ResNet-18 layer4", resnet18, ["layer4"], torch.float32, 1.15),
    ("VGG-16 conv5_3, bfloat16", vgg16, LAST_CONVOLUTION, torch.bfloat16, 0.6),
)


def main() -> None:
    torch.set_num_threads(1)
    print("| dissection | units | bare in float32, s | dissected, s | ratio | bound | scores, s | ratio with scores |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for title, build, layers, precision, bound in CASES:
        torch.manual_seed(0)
        with torch.inference_mode():
            dissection = Dissection(build(weights=None).eval(), layers, precision)
            units = sum(map(len, dissection.run().values()))
        bare, dissected, scored = dissection.clock.seconds.values()
        print(
            f"| {title} | {units} | {bare:.1f} | {dissected:.1f} | {dissected / bare:.3f} | {bound:.2f} | {scored:.2f} "
            f"| {(dissected + scored) / bare:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
