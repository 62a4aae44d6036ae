"""Checkpoints of progressive GANs, held against the architecture written out in numpy."""

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from service.artifacts.store import ArtifactStore
from tests.workers.networks.test_network import pointed_at
from workers.networks.layers import list_layers
from workers.networks.network import load

CPU = torch.device("cpu")
SIZES = {64: [24, 24, 20, 16, 12, 8], 256: [16, 16, 16, 12, 12, 8, 6, 4]}


def checkpoint(resolution, seed, old):
    """A file's keys and values: one pair of layers for each resolution, named as either generation of files does."""
    rng, sizes = np.random.default_rng(seed), SIZES[resolution]
    state, names = {}, ("features.{}", "output") if old else ("layer{}", f"output_{resolution}x{resolution}")
    shapes = [shape for pair in itertools.pairwise(sizes) for shape in (pair, (pair[1], pair[1]))]
    for index, (inputs, units) in enumerate(shapes):
        name, side = names[0].format(index if old else index + 1), 3 if index else 4
        state[f"{name}.conv.weight"] = rng.standard_normal((units, inputs, side, side))
        state[f"{name}.wscale.b"] = rng.standard_normal(units) * 0.2
    state[f"{names[1]}.conv.weight"] = rng.standard_normal((3, sizes[-1], 1, 1))
    state[f"{names[1]}.wscale.b"] = rng.standard_normal(3) * 0.2
    return {key: torch.from_numpy(value.astype(np.float32)) for key, value in state.items()}


def convolve(maps, weight, padding):
    """A convolution as a sum over the places of its kernel, in float64."""
    side = weight.shape[2]
    padded = np.pad(maps, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = (length - side + 1 for length in padded.shape[2:])
    places = itertools.product(range(side), repeat=2)
    parts = (
        np.tensordot(weight[:, :, row, column], padded[:, :, row : row + height, column : column + width], (1, 1))
        for row, column in places
    )
    return sum(parts).swapaxes(0, 1)


def normalize(maps):
    return maps / np.sqrt((maps**2).mean(1, keepdims=True) + 1e-8)


def draw(state, latents):
    """Pictures, and the maps of every layer, by the tensors in the order of the file."""
    tensors = [tensor.double().numpy() for tensor in state.values()]
    pairs = [*zip(tensors[::2], tensors[1::2], strict=True)]
    maps, layers = latents.reshape(len(latents), -1, 1, 1).astype(np.float64), []
    for index, (weight, bias) in enumerate(pairs[:-1]):
        maps = normalize(maps)
        if index and index % 2 == 0:
            maps = maps.repeat(2, 2).repeat(2, 3)
        scale = np.sqrt(2 / np.prod(weight.shape[1:]))
        maps = convolve(maps, weight, 1 if index else 3) * scale + bias[:, None, None]
        maps = np.where(maps > 0, maps, 0.2 * maps)
        layers.append(maps)
    weight, bias = pairs[-1]
    return convolve(normalize(maps), weight, 0) / np.sqrt(weight.shape[1]) + bias[:, None, None], layers


@pytest.fixture
def register(tmp_path):
    def make(state, save=torch.save, **given):
        store = ArtifactStore(tmp_path / "artifacts")
        save(state, tmp_path / "file")
        return load(
            "progressive-gan", {"artifact": store.put(tmp_path / "file")}, given, [], store, CPU, kind="generator"
        )

    return make


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("old", [False, True], ids=["layer1", "features.0"])
@pytest.mark.parametrize("resolution", [64, 256])
def test_pictures_and_maps_are_those_of_the_architecture(register, resolution, old, seed):
    state = checkpoint(resolution, seed, old)
    network = register({"state_dict": state} if old else state)
    assert network.latent.shape == (SIZES[resolution][0],)
    assert (network.size, network.kind) == ((resolution, resolution), "generator")
    latents = network.latent.draw(seed, 0, 2)
    expected, layers = draw(state, latents.numpy())
    assert np.abs(expected).max() > 0.5
    with torch.no_grad():
        np.testing.assert_allclose(
            network.module(latents), expected, rtol=0, atol=2e-3
        )  # narrow norms amplify rounding
        exact, latents = network.module.double(), latents.double()
        np.testing.assert_allclose(exact(latents), expected, rtol=0, atol=1e-10)
    maps = latents.reshape(2, -1, 1, 1)
    with torch.no_grad():
        for module, expected in zip(exact.children(), layers, strict=False):
            maps = module(maps)
            np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-10)


def test_layers_have_the_sizes_of_the_file(register):
    network = register(checkpoint(64, 0, old=False))
    layers = {layer.name: layer[1:] for layer in list_layers(network) if "." not in layer.name}
    sides = {1: 4, 2: 4, 3: 8, 4: 8, 5: 16, 6: 16, 7: 32, 8: 32, 9: 64, 10: 64}
    units = SIZES[64][1:]
    expected = {f"layer{number}": (units[(number - 1) // 2], side, side) for number, side in sides.items()}
    assert layers == expected | {"output_64x64": (3, 64, 64)}


def test_both_generations_of_files_are_one_network(register):
    latents = register(checkpoint(64, 0, old=False)).latent.draw(1, 0, 2)
    with torch.no_grad():
        pictures = [register(checkpoint(64, 0, old)).module(latents) for old in (False, True)]
    assert torch.equal(*pictures)


def test_safetensors_and_the_long_form_of_latents_are_taken(register):
    network = register(checkpoint(64, 0, old=True), save_file, latent=[24, 1, 1], range=[0, 2])
    assert network.latent.to_json() == {"latent": [24, 1, 1], "range": [0.0, 2.0], "size": [64, 64]}


def test_latents_of_another_length_are_refused(register):
    with pointed_at("/input/latent", r"does not take latents of \[23\]"):
        register(checkpoint(64, 0, old=False), latent=[23])


def spoilt(change):
    state = checkpoint(64, 0, old=False)
    change(state)
    return state


SPOILT = {
    "no layers": (lambda state: [state.pop(key) for key in [*state] if key.startswith("layer")], "0 layers"),
    "an odd number": (lambda state: state.pop("layer10.conv.weight"), "9 layers"),
    "a gap": (lambda state: state.pop("layer4.conv.weight"), "3 layers"),
    "flat weights": (lambda state: state.update({"layer1.conv.weight": torch.zeros(24, 24)}), "pairs"),
    "no bias": (lambda state: state.pop("layer3.wscale.b"), "1 missing .layer3.wscale.b"),
    "other output": (lambda state: state.update({"output_64x64.conv.weight": torch.zeros(1, 8, 1, 1)}), "wrong shape"),
    "more than that": (lambda state: state.update({"extra": torch.zeros(1)}), "1 unexpected"),
    "unlike sizes": (lambda state: state.update({"layer4.conv.weight": torch.zeros(7, 20, 3, 3)}), "wrong shape"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_files_of_something_else_are_refused(register, name):
    change, words = SPOILT[name]
    with pointed_at("/weights", words):
        register(spoilt(change))


def test_more_layers_than_were_ever_published_are_refused(register):
    state = {f"layer{number}.conv.weight": torch.zeros(1, 1, 3, 3) for number in range(1, 21)}
    with pointed_at("/weights", "more than 1024"):
        register(state)


@pytest.mark.parametrize(
    ("source", "weights", "pointer"),
    [
        ("progressive-gan", {}, "/weights"),
        ("progressive-gan", {"seed": 0}, "/weights"),
        ("progressive-gan", {"pretrained": "church"}, "/source"),
        ("progressive-gan:church", {"seed": 0}, "/source"),
    ],
)
def test_there_is_no_generator_without_its_file(tmp_path, source, weights, pointer):
    with pointed_at(pointer, "checkpoint"):
        load(source, weights, {}, [], ArtifactStore(tmp_path), CPU, kind="generator")


def test_it_is_no_classifier(tmp_path):
    with pointed_at("/kind", "is a generator"):
        load("progressive-gan", {"seed": 0}, {"crop": 64}, [], ArtifactStore(tmp_path), CPU)
