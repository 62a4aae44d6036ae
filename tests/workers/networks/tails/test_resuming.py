"""Two halves of a network held against the whole of it, with its layer's output changed by a hook."""

import pytest
import torch
from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.latents import LatentSpec
from workers.networks.network import Network
from workers.networks.progressive_gan import ProgressiveGenerator
from workers.networks.tails.resuming import open_halves, repeat

CPU, MEMORY = torch.device("cpu"), 2**26
PROGRESSIVE = ["layer1", "layer2.conv", "layer3.norm", "layer4", "layer5.up", "layer6.wscale", "output_16x16.conv"]


def network_of(module: nn.Module, shape: tuple[int, ...], size: tuple[int, int]) -> Network:
    module = module.eval().requires_grad_(False)
    return Network(module, "generator", LatentSpec(shape, size=size), [], [], "0" * 64, CPU)


def progressive() -> Network:
    torch.manual_seed(0)
    return network_of(ProgressiveGenerator(16, [6, 8, 7, 5]), (6,), (16, 16))


class Skipping(nn.Module):
    """Not square; a linear map first, a branch beside the layers, one module called twice, changes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.relu = nn.Linear(5, 4 * 2 * 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.grow, self.beside = nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.ConvTranspose2d(4, 3, 8, 4, 2)
        self.last, self.unused = nn.ConvTranspose2d(6, 3, 4, 2, 1), nn.Conv2d(4, 4, 1)

    def forward(self, latents: Tensor) -> Tensor:
        seed = self.relu(self.norm(self.first(latents).reshape(len(latents), 4, 2, 3)))
        self.unused(seed)
        pictures = self.last(self.relu(self.grow(seed)))
        pictures += self.beside(seed)
        return pictures.tanh_()


def skipping() -> Network:
    torch.manual_seed(0)
    return network_of(Skipping(), (5,), (8, 12))


class Choosy(nn.Module):
    """What it computes depends on values that it reads, so it cannot be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.ConvTranspose2d(4, 5, 4), nn.ConvTranspose2d(5, 3, 4, 2, 1)

    def forward(self, latents: Tensor) -> Tensor:
        maps = torch.stack([each if each.mean().item() > 0 else -each for each in self.first(latents)])
        return self.last(maps)


def choosy() -> Network:
    torch.manual_seed(0)
    return network_of(Choosy(), (4, 1, 1), (8, 8))


CASES = [*((progressive, layer) for layer in PROGRESSIVE), *((skipping, layer) for layer in ("norm", "grow", "relu"))]


def whole(network: Network, layer: str, latents: Tensor, maps: Tensor, calls: int) -> Tensor:
    """Outputs with the maps of the layer's last call replaced."""
    ran = []

    def replace(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        ran.append(1)
        return maps.clone() if len(ran) == calls else output

    hook = network.module.get_submodule(layer).register_forward_hook(replace)
    with torch.no_grad():
        outputs = network.module(latents)
    hook.remove()
    return outputs


@pytest.mark.parametrize(("make", "layer"), CASES)
@pytest.mark.parametrize("memory", [MEMORY, 1])
def test_halves_compute_what_the_whole_does(make, layer, memory):
    network, calls = make(), 2 if layer == "relu" else 1
    halves = open_halves(network, layer, memory)
    assert (halves.cut, halves.reason) == (True, None)
    latents = network.latent.draw(1, 0, 5)
    kept = halves.front(latents)
    with torch.no_grad():
        assert torch.allclose(halves.back(kept, halves.maps(kept)), network.module(latents), rtol=0, atol=1e-4)
    others = torch.randn(halves.maps(kept).shape, generator=torch.Generator().manual_seed(1))
    expected = whole(network, layer, latents, others, calls)
    assert torch.allclose(halves.back(kept, others), expected, rtol=0, atol=1e-4)
    assert halves.units == others.shape[1]


@pytest.mark.parametrize(("make", "layer"), [(progressive, "layer2"), (skipping, "grow"), (choosy, "first")])
def test_rows_may_be_chosen_and_repeated(make, layer):
    network = make()
    halves = open_halves(network, layer, MEMORY)
    latents = network.latent.draw(1, 0, 3)
    kept = {name: value[1:2] for name, value in halves.front(latents).items()}
    others = torch.randn((4, *halves.maps(kept).shape[1:]), generator=torch.Generator().manual_seed(1))
    found = halves.back(repeat(kept, 4), others)
    for row, maps in zip(found, others, strict=True):
        assert torch.allclose(row, whole(network, layer, latents[1:2], maps[None], 1)[0], rtol=0, atol=1e-4)


def test_what_was_kept_stays_as_it_was():
    network = skipping()
    halves = open_halves(network, "grow", MEMORY)
    kept = halves.front(network.latent.draw(1, 0, 2))
    before = {name: value.clone() for name, value in kept.items()}
    halves.back(kept, torch.zeros_like(halves.maps(kept)))
    assert all(torch.equal(kept[name], value) for name, value in before.items())


def test_only_what_follows_the_layer_runs():
    network = progressive()
    halves = open_halves(network, "layer4", MEMORY)
    kept = halves.front(network.latent.draw(1, 0, 2))
    assert kept.keys() == {"output"}
    with torch.no_grad():
        network.module.layer1.conv.weight.fill_(float("nan"))
    assert halves.back(kept, halves.maps(kept)).isfinite().all()


def test_a_network_that_cannot_be_cut_runs_whole():
    network = choosy()
    halves = open_halves(network, "first", MEMORY)
    assert not halves.cut
    assert "values that it reads" in halves.reason
    latents = network.latent.draw(1, 0, 20)
    kept = halves.front(latents)
    others = halves.maps(kept).flip(0)
    assert torch.allclose(halves.back(kept, others), whole(network, "first", latents, others, 1), rtol=0, atol=1e-4)


def test_a_layer_that_is_not_in_the_picture_is_refused():
    with pytest.raises(Invalid, match="does not depend on layer 'unused'") as caught:
        open_halves(skipping(), "unused", MEMORY)
    assert caught.value.errors[0]["pointer"] == "/layer"


@pytest.mark.parametrize("layer", ["nowhere", "first"])
def test_a_layer_without_maps_is_refused(layer):
    with pytest.raises(Invalid, match="no layer whose output is a map") as caught:
        open_halves(skipping(), layer, MEMORY)
    assert caught.value.errors[0]["pointer"] == "/layer"
