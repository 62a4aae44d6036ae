import pytest
import torch
from torch import nn

from service.errors import Invalid
from tests.workers.networks.tails.zoo import MEMORY, network, pictures, sets, silenced, studied, swept
from workers.networks.layers import list_layers
from workers.networks.tails.opening import open_tail
from workers.networks.tails.seconds import tail_seconds


class Planted(nn.Module):
    """Units that are ReLUs of a convolution, read out by a linear map, and something in between that tests choose."""

    def __init__(self, between=None, units=5):
        super().__init__()
        torch.manual_seed(3)
        self.detect, self.relu = nn.Conv2d(3, units, 3, padding=1), nn.ReLU(inplace=True)
        self.read, self.beside = nn.Linear(units, 4), nn.Conv2d(units, 2, 1)
        self.between = between or (lambda x: x)

    def forward(self, x):
        maps = self.relu(self.detect(x))
        self.beside(maps)
        return self.read(self.between(maps).mean((2, 3)))


def chosen_by_values(x):
    return x * 2 if x.mean() > 0 else x


# what these read is 0, so that no image depends on those beside it


def read_as_a_number(x):
    return x * (1 + x.clamp(max=0).amin().item())


def read_as_a_list(x):
    return x * (1 + min(0, x[0, 0, 0].tolist()[0]))


def selected(x):
    return x * (1 + x[x < 0].sum())


def overwritten_elsewhere(x):
    x[:, :2] += 1
    return x


def passed_through_numpy(x):
    return torch.from_numpy(x.numpy() * 2)


def mixed_over_images(x):
    return x - x.mean(0, keepdim=True)


UNCUT = [
    (chosen_by_values, "depends on values"),
    (read_as_a_number, "depends on values"),
    (read_as_a_list, "depends on values"),
    (selected, "depends on values"),
    (overwritten_elsewhere, "overwrote under another name"),
    (passed_through_numpy, "depends on values"),
]


@pytest.mark.parametrize(("between", "reason"), UNCUT)
def test_where_a_network_cannot_be_cut_the_whole_of_it_runs(between, reason):
    net = studied(Planted(between), 8)
    tail = open_tail(net, "detect", MEMORY)
    assert not tail.cut
    assert reason in tail.reason
    images = pictures(net)
    block = tail.block(tail.keep(images), torch.zeros(5))
    logits, _ = swept(tail, block, sets(5))
    for units, found in zip(sets(5), logits, strict=True):
        expected = silenced(net, "detect", units, images)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_networks_that_look_at_several_images_at_once_are_refused():
    with pytest.raises(Invalid, match="depends on the images beside it") as caught:
        open_tail(studied(Planted(mixed_over_images), 8), "detect", MEMORY)
    assert caught.value.errors[0]["pointer"] == "/model"


@pytest.mark.parametrize("layer", ["layer2.0.conv1", "layer3.0"])
def test_the_whole_network_and_the_cut_one_say_the_same(layer, monkeypatch):
    net, images = network("resnet"), pictures(network("resnet"))
    cut = open_tail(net, layer, MEMORY)

    def refuse(*_):
        raise RuntimeError("no")

    monkeypatch.setattr("workers.networks.tails.opening.trace", refuse)
    whole = open_tail(net, layer, MEMORY)
    assert (cut.cut, whole.cut, whole.reason) == (True, False, "RuntimeError: no")
    assert torch.equal(cut.maps(cut.keep(images)), whole.maps(whole.keep(images)))
    fill = cut.maps(cut.keep(images)).mean((0, 2, 3))
    for one, other in zip(
        *(swept(t, t.block(t.keep(images), fill), sets(t.units))[0] for t in (cut, whole)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.abs().max()))


def test_the_whole_network_skips_images_on_which_a_map_stays_as_it_is():
    net = studied(Planted(chosen_by_values), 8)
    with torch.no_grad():
        net.module.detect.weight[2], net.module.detect.bias[2] = 0, -1
    tail = open_tail(net, "relu", MEMORY)
    block = tail.block(tail.keep(pictures(net)), torch.zeros(5))
    assert [len(images) for _, images, _ in block.run([[2], [0], [], [2, 0]])] == [0, 3, 0, 3]


@pytest.mark.parametrize("layer", ["nowhere", "", "read", "detect.weight"])
def test_layers_without_a_map_are_refused(layer):
    with pytest.raises(Invalid, match="no layer whose output is a map") as caught:
        open_tail(studied(Planted(), 8), layer, MEMORY)
    assert caught.value.errors[0]["pointer"] == "/layer"


@pytest.mark.parametrize("between", [None, chosen_by_values])
def test_layers_beside_the_way_to_the_classes_are_refused(between):
    with pytest.raises(Invalid, match="do not depend on layer 'beside'") as caught:
        open_tail(studied(Planted(between), 8), "beside", MEMORY)
    assert caught.value.errors[0]["pointer"] == "/layer"


def test_patches_that_no_class_reads_are_refused():
    # behind the last block only the class token is read, and that is no part of the map
    with pytest.raises(Invalid, match="do not depend on layer 'encoder'"):
        open_tail(network("vit"), "encoder", MEMORY)


@pytest.mark.parametrize("layer", ["classifier.1", "classifier.2"])
def test_units_that_are_the_classes_are_refused(layer):
    with pytest.raises(Invalid, match="are the classes themselves") as caught:
        open_tail(network("squeezenet"), layer, MEMORY)
    assert caught.value.errors[0]["pointer"] == "/layer"


class Scaled(nn.Module):
    """A network whose units are its classes, and which cannot be cut."""

    def __init__(self):
        super().__init__()
        self.detect = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        maps = self.detect(x)
        return maps.mean((2, 3)) * (2 if x.mean() > 0 else 1)


def test_units_that_are_the_classes_are_refused_without_a_cut():
    with pytest.raises(Invalid, match="are the classes themselves"):
        open_tail(studied(Scaled(), 8), "detect", MEMORY)


def test_logits_that_are_no_numbers_are_told():
    net = studied(Planted(lambda x: (2 - x).sqrt()), 8)
    tail = open_tail(studied(Planted(lambda x: (2 - x.clamp(max=2)).sqrt()), 8), "relu", MEMORY)
    assert tail.cut
    with pytest.raises(Invalid, match="not all numbers"):
        open_tail(net, "relu", MEMORY).keep(100 * pictures(net))
    block = tail.block(tail.keep(pictures(net)), torch.full((5,), float("nan")))
    with pytest.raises(Invalid, match="not all numbers"):
        list(block.run([[0]]))


def test_a_layer_of_one_unit():
    net = studied(Planted(units=1), 8)
    tail = open_tail(net, "relu", MEMORY)
    images = pictures(net)
    logits, _ = swept(tail, tail.block(tail.keep(images), torch.zeros(1)), [[0], []])
    torch.testing.assert_close(logits[0], silenced(net, "relu", [0], images))


def test_differences_that_are_no_numbers_are_not_added_up():
    # a sum that holds an infinity cannot be corrected; it is computed anew
    net = studied(Planted(lambda x: torch.where(x > 1e6, torch.inf, x).clamp(max=1e9)), 8)
    tail = open_tail(net, "relu", MEMORY)
    kept = tail.keep(pictures(net))
    kept["output"][0, 2, 0, 0] = 1e7
    logits, _ = swept(tail, tail.block(kept, torch.zeros(5)), [[2], [0], [0, 2]])
    assert all(found.isfinite().all() for found in logits)


def test_opening_leaves_no_hooks():
    net = network("resnet")
    open_tail(net, "layer2.0", MEMORY)
    tail_seconds(net, list_layers(net), 1.0)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.module.modules())
