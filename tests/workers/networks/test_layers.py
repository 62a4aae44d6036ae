import pytest
import torch
from torch import nn

from service.errors import Invalid
from workers.networks.inputs import InputSpec
from workers.networks.layers import LayerInfo, forward_seconds, list_layers, pick_layers
from workers.networks.network import Network


class Shared(nn.Module):
    """Calls one convolution twice, at two sizes, and leaves another unused."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Conv2d(3, 3, 3, stride=2), nn.Conv2d(3, 3, 1)
        self.features = nn.Sequential(nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.unused, self.flat = nn.Conv2d(3, 3, 1), nn.Flatten()
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        x = self.again(self.features(self.first(self.again(x))))
        return self.head(self.flat(x.amax((2, 3))))


def studied(module, size=(12, 20)):
    cpu = torch.device("cpu")
    return Network(module.eval(), "classifier", InputSpec(crop=size), ["a", "b"], [], "0" * 64, cpu)


def test_layers_come_in_the_order_in_which_they_finish():
    assert list_layers(studied(Shared())) == [
        LayerInfo("first", 3, 5, 9),
        LayerInfo("features.0", 3, 5, 9),
        LayerInfo("features.1", 3, 2, 4),
        LayerInfo("features", 3, 2, 4),
        LayerInfo("again", 3, 2, 4),
    ]


def test_listing_and_timing_leave_no_hooks():
    network = studied(Shared())
    list_layers(network)
    assert forward_seconds(network) > 0
    assert not any(module._forward_hooks for module in network.module.modules())


def test_layers_are_picked_in_the_order_asked_for():
    layers = list_layers(studied(Shared()))
    assert [layer.name for layer in pick_layers(layers, ["again", "first"])] == ["again", "first"]


@pytest.mark.parametrize(("names", "pointer"), [(["head"], "/layers/0"), (["first", "feature.1"], "/layers/1")])
def test_near_layers_are_named(names, pointer):
    layers = list_layers(studied(Shared()))
    with pytest.raises(Invalid, match="no layer whose output is a map") as caught:
        pick_layers(layers, names)
    assert caught.value.errors[0]["pointer"] == pointer
    if names[-1] == "feature.1":
        assert "features.1" in caught.value.detail
