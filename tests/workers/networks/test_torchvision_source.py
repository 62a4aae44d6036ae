"""Every family of torchvision's classifiers, by its smallest member."""

import copy

import pytest
import torch
from torch import nn
from torchvision import models

from service.errors import Invalid
from workers.networks.inputs import InputSpec
from workers.networks.layers import list_layers
from workers.networks.network import load
from workers.networks.taps import tap
from workers.networks.torchvision_source import source

SMALLEST = {
    "alexnet": 64,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "maxvit_t": 224,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_x_400mf": 32,
    "resnet18": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_1": 32,
    "swin_t": 32,
    "swin_v2_t": 32,
    "vgg11": 32,
    "vit_b_32": 64,
}


class Reached(Exception):
    def __init__(self, output):
        self.output = output


class Stop(nn.Module):
    """Stands in for a layer and ends the pass at its last call, so that nothing after it can touch its output."""

    def __init__(self, layer, calls):
        super().__init__()
        self.layer, self.calls = layer, calls

    def forward(self, *inputs):
        output = self.layer(*inputs)
        self.calls -= 1
        if self.calls == 0:
            raise Reached(output)
        return output


def count_calls(module, name, images):
    calls = []
    handle = module.get_submodule(name).register_forward_hook(lambda *_: calls.append(1))
    module(images)
    handle.remove()
    return len(calls)


def stop_at(module, name, images):
    stopped = copy.deepcopy(module)
    parent, _, child = name.rpartition(".")
    setattr(stopped.get_submodule(parent), child, Stop(stopped.get_submodule(name), count_calls(module, name, images)))
    with pytest.raises(Reached) as caught:
        stopped(images)
    return caught.value.output


def family(name):
    return models.get_model_builder(name).__module__


def test_every_family_is_here():
    assert {family(name) for name in models.list_models(module=models)} == {family(name) for name in SMALLEST}


@pytest.mark.parametrize("name", SMALLEST)
def test_taps_agree_with_a_pass_that_ends_at_the_layer(name):
    size = SMALLEST[name]
    network = load(f"torchvision:{name}", {"seed": 0}, {"crop": size}, [], None, torch.device("cpu"))
    layers = list_layers(network)
    chosen = layers[:: max(1, len(layers) // 5)]
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), tap(network.module, [layer.name for layer in chosen]) as maps:
        output = network.module(images)
        assert torch.equal(output, network.module(images))
        for layer in chosen:
            expected = stop_at(network.module, layer.name, images)
            if expected.ndim == 3:  # a class token, then the patches
                expected = expected[:, 1:].unflatten(1, layer[2:])
            if expected.shape[1:] != layer[1:]:
                expected = expected.movedim(-1, 1)
            assert maps[layer.name].shape == (2, *layer[1:])
            assert torch.equal(maps[layer.name], expected)
            assert maps[layer.name].isfinite().all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg11", {"features.19": (512, 2, 2), "features": (512, 1, 1)}),
        ("resnet18", {"relu": (64, 16, 16), "layer1.0.relu": (64, 8, 8), "layer4": (512, 1, 1)}),
        ("swin_t", {"features.0": (96, 8, 8), "features.1": (96, 8, 8), "features.7": (768, 1, 1)}),
        ("convnext_tiny", {"features.1.0.block.2": (96, 8, 8), "features.3": (192, 4, 4)}),
        ("vit_b_32", {"conv_proj": (768, 1, 1), "encoder.layers.encoder_layer_11": (768, 1, 1), "heads": None}),
        ("googlenet", {"conv2": (64, 8, 8), "inception3a": (256, 4, 4)}),
    ],
)
def test_containers_and_leaves_are_layers_with_their_units(name, expected):
    network = load(f"torchvision:{name}", {"seed": 0}, {"crop": 32}, [], None, torch.device("cpu"))
    layers = {layer.name: tuple(layer[1:]) for layer in list_layers(network)}
    assert {key: layers.get(key) for key in expected} == expected


@pytest.mark.parametrize("name", models.list_models(module=models))
def test_published_conventions_make_a_valid_input(name):
    for weights in models.get_model_weights(name):
        architecture = source(name, weights.name)
        spec = InputSpec.from_json(architecture.input)
        assert spec.size == tuple(weights.transforms().crop_size * 2)
        assert len(architecture.classes) == (0 if weights.name == "IMAGENET1K_FEATURES" else 1000)


def test_unknown_names_are_invalid():
    with pytest.raises(Invalid, match="resnet18"):
        source("resnet_18", None)
