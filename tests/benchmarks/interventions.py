"""What an intervention over sizes costs, beside running the whole generator for every set of units.

Untrained progressive GANs, one thread, CPU time; whatever is compared alternates, so that whatever else the machine
does falls on both alike. Both draw the same pictures of the same latents; segmenting these is the same for both and is
left out.

    python -m tests.benchmarks.interventions
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.benchmarks.ablation import CPU, Clock
from workers.analysis.ablation.importance import random_sets
from workers.analysis.interventions.edits import set_units
from workers.networks.latents import LatentSpec
from workers.networks.network import Network
from workers.networks.progressive_gan import ProgressiveGenerator
from workers.networks.tails.resuming import open_halves

MEMORY = 2**30
SIZES = [1, 2, 5, 10, 20, 30]
DRAWS = 6
"""Sets of each size: the units of a concept and random ones."""
SMALL = [64, 96, 96, 64, 32]
PAPER = [512, 512, 512, 512, 256, 128, 64, 32]


def generator(resolution: int, sizes: Sequence[int]) -> Network:
    torch.manual_seed(0)
    module = ProgressiveGenerator(resolution, sizes).eval().requires_grad_(False)
    spec = LatentSpec((sizes[0],), size=(resolution, resolution))
    return Network(module, "generator", spec, [], [], "0" * 64, CPU)


def run_whole(module: nn.Module, layer: str, units: Sequence[int], latents: Tensor) -> Tensor:
    def remove(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        output[:, list(units)] = 0

    with module.get_submodule(layer).register_forward_hook(remove):
        pictures: Tensor = module(latents)
        return pictures


@torch.inference_mode()
def measure(title: str, network: Network, layer: str, count: int) -> None:
    halves, latents = open_halves(network, layer, MEMORY), network.latent.draw(1, 0, count)
    assert halves.cut
    sets = [units for of_size in random_sets(range(halves.units), SIZES, DRAWS) for units in of_size]
    ours, whole, differences = Clock(), Clock(), []
    with ours.counts():
        kept = halves.front(latents)
        maps = halves.maps(kept)
    for units in sets:
        with ours.counts(count):
            found = halves.back(kept, set_units(maps, units, torch.zeros(len(units))))
        with whole.counts(count):
            expected = run_whole(network.module, layer, units, latents)
        differences.append(float((found - expected).abs().max() / expected.abs().max()))
    print(
        f"| {title} | {layer} | {len(sets)} x {count} | {whole.milliseconds:.2f} | {ours.milliseconds:.2f} "
        f"| {whole.milliseconds / ours.milliseconds:.2f} | {max(differences):.0e} |",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    print("| generator | layer | sets x latents | whole, ms | ours, ms | times | largest difference |")
    print("|---|---|---|---|---|---|---|")
    small = generator(32, SMALL)
    for layer in ("layer2", "layer4", "layer6", "layer8"):
        measure("32 px, 96 units", small, layer, 8)
    paper = generator(256, PAPER)
    for layer in ("layer4", "layer10"):
        measure("256 px, the paper's", paper, layer, 2)


if __name__ == "__main__":
    main()
