"""Units removed by their weights: the logits of a hook that is written here, on networks of every shape."""

import re

import pytest
import torch
from safetensors.torch import load
from torch import nn
from torchvision import models

from service.artifacts.store import ArtifactStore
from tests.workers.networks.exporting import archive, load_unconfined
from workers.networks import exported
from workers.networks.inputs import InputSpec
from workers.networks.maps import as_map
from workers.networks.network import Network
from workers.networks.network import load as load_network
from workers.networks.pruning import Zeroing, find_zeroing, pack, zeroed
from workers.scenes.networks import source as scenes

CPU = torch.device("cpu")


def network_of(module: nn.Module, side: int = 8) -> Network:
    """A network with norms that have seen something."""
    torch.manual_seed(1)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.uniform_(0.5, 2)
            layer.bias.data.normal_()
    spec = InputSpec.from_json({"resize": [side, side]})
    return Network(module.eval().requires_grad_(False), "classifier", spec, [], [], "0" * 64, CPU)


def seeded(build, *args, **options) -> nn.Module:
    torch.manual_seed(0)
    return build(*args, **options)


class Residual(nn.Module):
    """A sum of two branches, whose head reads each unit in sixteen places."""

    def __init__(self, project=False, head=None):
        super().__init__()
        self.stem, self.conv, self.norm = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.side = nn.Conv2d(6, 6, 1, bias=False) if project else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.head = head or nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 5))

    def forward(self, x):
        x = self.stem(x)
        out = self.norm(self.conv(x))
        out += self.side(x)
        return self.head(self.relu(out))


class Gated(nn.Module):
    """A gate of its own map stands before and behind the layers."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 6, 3), nn.Hardswish()
        self.squeeze, self.excite = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)
        self.gated, self.project, self.head = nn.Identity(), nn.Conv2d(6, 4, 1), nn.Linear(4, 5)

    def forward(self, x):
        x = self.act(self.conv(x))
        x = self.gated(x * self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid())
        return self.head(self.project(x).relu().mean((2, 3)))


class Twice(nn.Module):
    """A convolution that is used twice, and one that stands for another."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.norm = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6)
        self.tied, self.last = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1)
        self.last.weight = self.tied.weight
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))

    def forward(self, x):
        x = self.norm(self.conv(self.conv(self.stem(x).relu()).relu()))
        return self.head(self.norm(self.last(x.relu())))


class Bare(nn.Module):
    """Units that are the classes."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.sum = nn.Conv2d(3, 5, 1), nn.Conv2d(5, 5, 1), nn.Identity()

    def forward(self, x):
        x = self.stem(x)
        return self.sum(x + self.conv(x)).mean((2, 3))


class Turned(nn.Module):
    """Units that change places before they are read."""

    def forward(self, x):
        return x.roll(1, 1)


class Scaled(nn.Module):
    """A sum whose branches are scaled by parameters of their own, as ConvNeXt does it."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 5, 1)
        self.scale, self.sum = nn.Parameter(torch.rand(6)), nn.Identity()

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.sum(x * self.scale.reshape(6, 1, 1) + self.conv(x).sigmoid())).amax((2, 3))


class Failing(nn.Module):
    """Raises for what none but the search for weights does to it."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 1), nn.Linear(6, 5)

    def forward(self, x):
        if not isinstance(self.conv.weight, nn.Parameter):
            raise LookupError("no zeros here")
        return self.head(self.conv(x).mean((2, 3)))


class Choosing(nn.Module):
    """What it computes depends on a value that it reads."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 1), nn.Linear(6, 5)

    def forward(self, x):
        x = self.conv(x)
        return self.head((x if float(x.sum()) > 0 else -x).mean((2, 3)))


def plain():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.GELU(),
        nn.Dropout(),
        nn.ConvTranspose2d(4, 6, 2),
        nn.GroupNorm(2, 6),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(54, 5),
    )


def grouped(groups):
    """A head that reads a sum of branches in groups."""
    convolution = nn.Conv2d(6, 12, 3, groups=groups)
    return nn.Sequential(nn.Hardswish(), convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5))


def transposed():
    return nn.Sequential(nn.ConvTranspose2d(6, 4, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


CASES = [
    (plain, "0", [("0.weight", 0, 1), ("0.bias", 0, 1)]),
    (plain, "2", [("0.weight", 0, 1), ("0.bias", 0, 1)]),
    (plain, "3", [("3.weight", 0, 1)]),
    (plain, "6", [("4.weight", 0, 1), ("4.bias", 0, 1)]),
    (plain, "7", [("7.weight", 1, 1), ("7.bias", 0, 1)]),
    (plain, "9", [("8.weight", 0, 1), ("8.bias", 0, 1)]),
    (Residual, "norm", [("norm.weight", 0, 1), ("norm.bias", 0, 1)]),
    (Residual, "relu", [("head.2.weight", 1, 16)]),
    (lambda: Residual(project=True), "relu", [("norm.weight", 0, 1), ("norm.bias", 0, 1), ("side.weight", 0, 1)]),
    (lambda: Residual(head=grouped(6)), "relu", [("head.1.weight", 0, 2)]),
    (lambda: Residual(head=transposed()), "relu", [("head.0.weight", 0, 1)]),
    (Scaled, "sum", [("head.weight", 1, 1)]),
    (Gated, "act", [("conv.weight", 0, 1), ("conv.bias", 0, 1)]),
    (Gated, "gated", [("project.weight", 1, 1)]),
]


@pytest.mark.parametrize(("build", "layer", "tensors"), CASES)
def test_the_weights_of_small_networks(build, layer, tensors):
    network = network_of(seeded(build))
    zeroing = find_zeroing(network, layer)
    assert isinstance(zeroing, Zeroing), zeroing
    assert zeroing.tensors == tensors
    check(network, layer, zeroing, every_unit=True)


def check(network, layer, zeroing, every_unit=False):
    """Compare with a hook on the layer, for single units, several and all."""
    module = network.module
    images = torch.randn(3, 3, *network.input.size, generator=torch.Generator().manual_seed(5))
    name, dim, width = zeroing.tensors[0]
    units = module.state_dict()[name].shape[dim] // width
    singles = range(units) if every_unit else (0, units // 2)
    for removed in [*([unit] for unit in singles), [0, units - 1], [*range(units)]]:
        expected = silenced(module, layer, removed, images)
        logits = torch.func.functional_call(module, zeroed(module.state_dict(), zeroing, removed), (images,))
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def silenced(module, layer, units, images):
    """Run a network whose layer runs once with the maps of units at 0."""

    def change(_module, _inputs, output):
        output = output.clone()
        as_map(output, len(images), tuple(images.shape[2:]))[:, units] = 0
        return output

    hook = module.get_submodule(layer).register_forward_hook(change)
    logits = module(images)
    hook.remove()
    return logits


def test_layers_of_a_residual_network():
    network = network_of(seeded(models.resnet18, num_classes=5), 32)
    for layer, tensors in {
        "layer2.0": ["layer2.0.bn2.weight", "layer2.0.bn2.bias", "layer2.0.downsample.1.weight"],
        "layer3.1": ["layer4.0.conv1.weight", "layer4.0.downsample.0.weight"],
        "layer4.1": ["fc.weight"],
        "avgpool": ["fc.weight"],
    }.items():
        zeroing = find_zeroing(network, layer)
        assert isinstance(zeroing, Zeroing), zeroing
        assert [slice.name for slice in zeroing.tensors][: len(tensors)] == tensors
        check(network, layer, zeroing)
    reason = find_zeroing(network, "layer1.0")
    assert "'layer1.0'" in reason
    assert "read by others, too (conv2d)" in reason
    assert "operator (add) that passes it on" in reason


def test_units_that_are_joined_with_others():
    network = network_of(seeded(models.squeezenet1_1, num_classes=5), 40)
    zeroing = find_zeroing(network, "features.12")
    assert zeroing == Zeroing([("classifier.1.weight", 1, 1)])
    check(network, "features.12", zeroing)


def test_an_archive_and_the_built_in_network(tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "load_confined", load_unconfined)
    store = ArtifactStore(tmp_path)
    weights = {"artifact": store.put(archive(seeded(Residual, project=True).eval()))}
    network = load_network("exported", weights, {"resize": [8, 8]}, (), store, CPU)
    zeroing = find_zeroing(network, "relu")
    assert [slice.name for slice in zeroing.tensors] == ["norm.weight", "norm.bias", "side.weight"]
    check(network, "relu", zeroing)
    builtin = load_network("builtin:scenes-classifier", {}, {}, scenes("scenes-classifier", None).classes, store, CPU)
    last = [name for name, layer in builtin.module.named_modules() if isinstance(layer, nn.Conv2d)][-1]
    zeroing = find_zeroing(builtin, last)
    assert zeroing.tensors[0] == (f"{last}.weight", 0, 1)
    check(builtin, last, zeroing)


def transformer():
    return models.VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=5)


@pytest.mark.parametrize(
    ("build", "layer", "match"),
    [
        (transformer, "encoder.layers.encoder_layer_0", "read on patches alone"),
        (lambda: Residual(head=grouped(3)), "relu", "a convolution in groups"),
        (lambda: Residual(head=nn.Sequential(Turned(), transposed())), "relu", "its weights do more than silence it"),
        (Twice, "conv", "'conv.weight' are used elsewhere, too; .*batch_norm"),
        (Twice, "last", "'tied.weight' are used elsewhere, too"),
        (Bare, "sum", "reaches the classes without passing weights"),
        (Failing, "conv", "the search for them failed: no zeros here"),
        (Choosing, "conv", "depends on values that it reads"),
    ],
)
def test_why_there_are_none(build, layer, match):
    reason = find_zeroing(network_of(seeded(build), 16 if build is transformer else 8), layer)
    assert isinstance(reason, str), reason
    assert f"layer {layer!r}" in reason
    assert re.search(match, reason), reason


def test_what_is_given_stays_as_it_is():
    state = {"a": torch.ones(4, 6), "b": torch.ones(3)}
    found = zeroed(state, Zeroing([("a", 1, 2)]), [0, 2])
    assert found["a"].tolist() == [[0, 0, 1, 1, 0, 0]] * 4
    assert found["b"] is state["b"]
    assert state["a"].all()


def test_packed_weights_are_the_networks_and_always_the_same():
    network = network_of(seeded(Twice))
    network.module.stem.weight = nn.Parameter(torch.randn(3, 6, 1, 1).transpose(0, 1), requires_grad=False)
    state = network.module.state_dict()
    data = pack(network)
    assert data == pack(network)
    found = load(data)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert found["norm.num_batches_tracked"].dtype == torch.int64
