import pytest
import torch
from torch import nn

from tests.workers.networks.tails.test_opening import Planted, chosen_by_values
from tests.workers.networks.tails.zoo import MEMORY, network, studied
from workers.networks.layers import list_layers
from workers.networks.tails.opening import open_tail
from workers.networks.tails.seconds import VALUE, tail_seconds


def test_shares_of_a_network_counted_by_hand():
    # 3 -> 4 -> 6 units of 8 x 8, read by 5 classes; a multiply-add is two operations
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5, bias=False),
    )
    net, images = studied(module, 8), 2
    first, second, third = 2 * 64 * 3 * 4, 2 * 64 * 4 * 6 * 9, 2 * 6 * 5
    written = VALUE * (2 * 64 * 4 + 2 * 64 * 6 + 6 + 6 + 5)
    total = images * (first + second + third + written)
    behind = VALUE * (2 * 64 * 6 + 6 + 6 + 5)
    seconds = tail_seconds(net, list_layers(net), 3.0)
    assert list(seconds) == ["0", "1", "2", "3", "4"]
    # one unit of four goes into the convolution; all that follows is computed
    expected = images * (second / 4 + behind + third) / total
    assert seconds["0"] == pytest.approx(3 * expected)
    assert seconds["1"] == pytest.approx(3 * expected)
    # one unit of six goes into the classes
    expected = images * (third / 6 + VALUE * 5) / total
    assert seconds["2"] == seconds["3"] == seconds["4"] == pytest.approx(3 * expected)


@pytest.mark.parametrize("name", ["resnet", "densenet", "vit", "swin", "squeezenet", "shufflenet"])
def test_no_layer_costs_more_than_those_before_it_and_none_more_than_a_pass(name):
    net = network(name)
    layers = list_layers(net)
    seconds = tail_seconds(net, layers, 1.0)
    assert len(seconds) > len(layers) / 2
    assert all(0 < value < 1 for value in seconds.values())
    costs = list(seconds.values())
    assert costs[0] > 0.4 > 0.1 > costs[-1]


def test_layers_behind_which_there_is_no_cut_are_left_out():
    assert "classifier.1" not in tail_seconds(network("squeezenet"), list_layers(network("squeezenet")), 1.0)
    net = studied(Planted(), 8)
    assert tail_seconds(net, list_layers(net), 1.0).keys() == {"detect", "relu"}


@pytest.mark.parametrize(("name", "layer"), [("resnet", "layer2.0.bn1"), ("vit", "encoder.layers.encoder_layer_0")])
def test_layers_that_are_told_can_be_cut(name, layer):
    net = network(name)
    assert layer in tail_seconds(net, list_layers(net), 1.0)
    assert open_tail(net, layer, MEMORY).cut


class Unruly(nn.Module):
    def forward(self, x):
        if type(torch.utils._python_dispatch._get_current_dispatch_mode()) is not type(None):
            raise ZeroDivisionError
        return x


@pytest.mark.parametrize("between", [chosen_by_values, Unruly()])
def test_of_networks_that_cannot_be_traced_nothing_is_known(between):
    net = studied(Planted(between), 8)
    assert tail_seconds(net, list_layers(net), 1.0) == {}


def test_of_networks_that_are_no_classifiers_nothing_is_known():
    net = studied(Planted(), 8)
    layers = list_layers(net)
    object.__setattr__(net, "kind", "segmenter")
    assert tail_seconds(net, layers, 1.0) == {}
