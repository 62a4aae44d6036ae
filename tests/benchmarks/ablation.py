"""What it costs to remove a unit, beside a forward pass of the whole network for every unit.

Untrained networks at 224 px, one thread, CPU time; whatever is compared alternates, so that whatever else the machine
does falls on both alike. The pass over the images that keeps the layer's outputs happens once for all units, and its
share of each is told apart. Pairs of a unit and an image that are skipped, because the unit's map is zero there, are
told apart as well. What follows a layer is held against its own modules, run on as many maps at a time as we do; it can
take less than they, because the first sums over the units are corrected and not computed anew.

    python -m tests.benchmarks.ablation
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import resnet18, vgg16

from tests.benchmarks.dissection import smooth_images
from workers.networks.inputs import InputSpec
from workers.networks.network import Network
from workers.networks.tails.opening import open_tail
from workers.networks.tails.tail import Block

IMAGES, BATCH, MEMORY = 64, 16, 2**30
CPU = torch.device("cpu")
WHOLE_PASSES = 8
"""Batches for which the whole network runs, each with another unit removed; what all units cost is extrapolated."""
SAMPLE = 64
"""Units of the layers that are held against the arithmetic of what follows them."""


class Clock:
    """CPU seconds spent, and on how many pairs of a unit and an image."""

    def __init__(self) -> None:
        self.seconds, self.pairs = 0.0, 0

    @contextmanager
    def counts(self, pairs: int = 0) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds += time.process_time() - start
        self.pairs += pairs

    @property
    def milliseconds(self) -> float:
        """For a pair."""
        return 1000 * self.seconds / self.pairs


def classifier(build: Callable[..., nn.Module]) -> Network:
    torch.manual_seed(0)
    module = build(weights=None).eval().requires_grad_(False)
    return Network(module, "classifier", InputSpec(crop=(224, 224)), [str(i) for i in range(1000)], [], "0" * 64, CPU)


class Removal(NamedTuple):
    """A layer's kept outputs, and what keeping them took."""

    network: Network
    block: Block
    maps: Tensor
    rows: int
    once: Clock
    each: Clock


def prepare(build: Callable[..., nn.Module], layer: str) -> Removal:
    network, once, each = classifier(build), Clock(), Clock()
    tail = open_tail(network, layer, MEMORY)
    assert tail.cut
    images = smooth_images(np.arange(IMAGES))
    with once.counts(tail.units * IMAGES):
        kept = tail.keep(images)
    with each.counts():  # what all of its conditions share
        block = tail.block(kept, torch.zeros(tail.units))
    return Removal(network, block, tail.maps(kept), tail.limit.rows, once, each)


def remove(removal: Removal, units: Sequence[int]) -> Tensor:
    """Remove units one by one; return all images' logits without the first of them."""
    conditions = [[unit] for unit in units]
    with removal.each.counts():
        results = list(removal.block.run(conditions))
    removal.each.pairs += sum(len(images) for _, images, _ in results)
    _, images, logits = results[0]
    return removal.block.logits.index_copy(0, images, logits)


def run_whole(module: nn.Module, layer: str, unit: int, images: Tensor) -> Tensor:
    def silence(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        output[:, unit] = 0

    with module.get_submodule(layer).register_forward_hook(silence):
        return module(images)


def against_the_whole(title: str, build: Callable[..., nn.Module], layer: str, bound: float) -> None:
    removal, whole, differences = prepare(build, layer), Clock(), []
    images = smooth_images(np.arange(IMAGES))
    parts = np.array_split(np.arange(removal.maps.shape[1]), WHOLE_PASSES)
    for index, units in enumerate(parts):
        part = slice(index * BATCH % IMAGES, index * BATCH % IMAGES + BATCH)
        with whole.counts(BATCH):
            logits = run_whole(removal.network.module, layer, int(units[0]), images[part])
        found = remove(removal, units.tolist())[part]
        differences.append(float((found - logits).abs().max() / logits.abs().max()))
    pairs, each, once = removal.maps.shape[1] * IMAGES, removal.each, removal.once
    over_all = 1000 * each.seconds / pairs
    print(
        f"| {title} | {removal.maps.shape[1]} x {IMAGES} | {whole.milliseconds:.0f} | {over_all:.3f} "
        f"| {whole.milliseconds / over_all:.0f} | {1 - each.pairs / pairs:.0%} | {each.milliseconds:.3f} "
        f"| {whole.milliseconds / each.milliseconds:.0f} | {bound:.0f} | {once.milliseconds:.3f} "
        f"| {max(differences):.0e} |",
        flush=True,
    )


def against_arithmetic(title: str, layer: str, plain: Callable[[nn.Module], nn.Module], bound: float) -> None:
    removal, bare = prepare(resnet18, layer), Clock()
    rest = plain(removal.network.module)
    ready = removal.maps.repeat(1 + removal.rows // IMAGES, 1, 1, 1)[: removal.rows]
    for units in np.array_split(np.linspace(0, removal.maps.shape[1] - 1, SAMPLE).astype(int), 8):
        for _ in range(max(1, len(units) * IMAGES // removal.rows)):
            with bare.counts(len(ready)):
                rest(ready)
        remove(removal, units.tolist())
    each = removal.each
    skipped = 1 - each.pairs / (SAMPLE * IMAGES)
    print(
        f"| {title} | {SAMPLE} x {IMAGES} | {removal.rows} | {bare.milliseconds:.2f} | {each.milliseconds:.2f} "
        f"| {each.milliseconds / bare.milliseconds:.2f} | {bound:.1f} | {skipped:.0%} |",
        flush=True,
    )


def behind_layer4_0(network: nn.Module) -> nn.Module:
    return nn.Sequential(network.layer4[1], network.avgpool, nn.Flatten(), network.fc)


def behind_layer3_1(network: nn.Module) -> nn.Module:
    return nn.Sequential(network.layer4, network.avgpool, nn.Flatten(), network.fc)


def main() -> None:
    torch.set_num_threads(1)
    with torch.inference_mode():
        print("| removed one by one | units x images | whole network, ms | ours, ms | times less ", end="")
        print("| skipped | ours where computed, ms | times less | bound | the pass for all units, ms | logits differ |")
        print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
        against_the_whole("VGG-16 conv5_3", vgg16, "features.29", 600)
        print("\n| what follows | units x images | rows | its modules, ms | ours, ms | ratio | bound | skipped |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        against_arithmetic("ResNet-18 layer4.0", "layer4.0", behind_layer4_0, 1.2)
        against_arithmetic("ResNet-18 layer3.1", "layer3.1", behind_layer3_1, 1.2)


if __name__ == "__main__":
    main()
