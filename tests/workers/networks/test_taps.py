import pytest
import torch
from torch import nn

from service.errors import Invalid
from workers.networks.maps import as_map
from workers.networks.taps import edit, tap


class Block(nn.Module):
    """A residual block that overwrites in place whatever it can."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.conv(x)
        out += x
        return self.relu(out).mul_(2)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)
        self.block, self.head = Block(), nn.Linear(4, 2)
        self.unused = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = self.relu(self.stem(x))
        return self.head(self.relu(self.block(x).sub_(0.5)).mean((2, 3)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Small().eval().requires_grad_(False)


@pytest.fixture
def images():
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def by_hand(network, x):
    stem = network.stem(x)
    conv = network.block.conv(stem.relu())
    block = (conv + stem.relu()).relu() * 2
    return {"stem": stem, "block.conv": conv, "block.relu": block / 2, "block": block, "relu": (block - 0.5).relu()}


def hooks_of(network):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_maps_are_what_the_layers_put_out_before_anything_overwrote_them(network, images, mode):
    expected = by_hand(network, images)
    with mode(), tap(network, list(expected)) as maps:
        network(images)
    for name in expected:
        torch.testing.assert_close(maps[name], expected[name], rtol=0, atol=1e-6)
        assert maps[name].is_contiguous()


def test_the_output_is_that_of_the_bare_network(network, images):
    expected = network(images)
    with tap(network, ["stem", "block"]):
        assert torch.equal(network(images), expected)


def test_every_pass_replaces_the_maps(network, images):
    with tap(network, ["block"]) as maps:
        network(images)
        first = maps["block"]
        network(images[:1] * 2)
        assert first.shape == (2, 4, 8, 8)
        torch.testing.assert_close(maps["block"], by_hand(network, images[:1] * 2)["block"])


def test_two_taps_at_once_do_not_see_each_other(network, images):
    once, twice = by_hand(network, images), by_hand(network, images * 2)
    with tap(network, ["stem"]) as outer:
        with tap(network, ["stem", "block"]) as inner:
            network(images)
            assert torch.equal(outer["stem"], inner["stem"])
            assert set(outer) == {"stem"}
        network(images * 2)
        assert torch.equal(inner["stem"], once["stem"])
        assert torch.equal(outer["stem"], twice["stem"])


def test_hooks_are_gone_however_the_block_is_left(network, images):
    with tap(network, ["stem", "block"]):
        assert hooks_of(network) == 3
    assert hooks_of(network) == 0
    with pytest.raises(ZeroDivisionError), tap(network, ["stem"]):
        raise ZeroDivisionError
    assert hooks_of(network) == 0
    with pytest.raises(RuntimeError), tap(network, ["stem"]):
        network(images[:, :2])
    assert hooks_of(network) == 0
    with pytest.raises(Invalid), tap(network, ["stem", "nowhere"]):
        pass
    assert hooks_of(network) == 0


def test_a_failed_pass_leaves_no_map_of_the_pass_before(network, images):
    with tap(network, ["block"]) as maps:
        network(images)
        with pytest.raises(RuntimeError):
            network(images[:, :2])
        with pytest.raises(Invalid):
            maps["block"]


@pytest.mark.parametrize("name", ["nowhere", "", "block.conv.weight", "stem.0", "__class__"])
def test_layers_that_do_not_exist_are_told(network, images, name):
    with pytest.raises(Invalid, match="no layer") as caught, tap(network, [name]):
        network(images)
    assert caught.value.errors[0]["pointer"] == "/layers"


def test_a_layer_whose_output_is_no_map_is_told(network, images):
    with pytest.raises(Invalid, match="'head' is no map"), tap(network, ["head"]):
        network(images)


def test_a_layer_that_did_not_run_is_told(network, images):
    with tap(network, ["unused"]) as maps:
        network(images)
        with pytest.raises(Invalid, match="'unused' put out nothing"):
            maps["unused"]


def test_gradients_pass_through_maps(network, images):
    images.requires_grad_()
    with tap(network, ["stem"]) as maps:
        network(images)
        maps["stem"].sum().backward()
    assert images.grad.abs().sum() > 0


def remove_second(maps):
    maps[:, 1] = 0


def test_what_follows_a_layer_sees_its_map_changed(network, images):
    stem = network.stem(images).clone()
    stem[:, 1] = 0
    changed = stem.relu()
    block = (network.block.conv(changed) + changed).relu() * 2
    with torch.no_grad(), edit(network, "stem", 1, remove_second):
        found = network(images)
    torch.testing.assert_close(found, network.head((block - 0.5).relu().mean((2, 3))))


def test_what_the_layer_put_out_stays_as_it_is(network, images):
    expected, outputs = by_hand(network, images)["block"], []
    with network.block.register_forward_hook(lambda *args: outputs.append(args[2])):
        with torch.no_grad(), edit(network, "block", 1, remove_second):
            network(images)
        # hooks that came first see what the layer put out, and nothing overwrote it since
        torch.testing.assert_close(outputs[0], expected)


@pytest.mark.parametrize(("calls", "expected"), [(1, [0, 3]), (2, [2, 0])])
def test_of_a_layer_that_runs_several_times_one_output_is_changed(calls, expected):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle = nn.Identity()

        def forward(self, x):
            return torch.stack([self.idle(x).sum((1, 2, 3)), self.idle(x * 1.5).sum((1, 2, 3))], 1)

    network, images = Twice(), torch.full((1, 1, 2, 1), 1.0)
    with edit(network, "idle", calls, lambda maps: maps.zero_()):
        for _ in range(2):
            assert network(images).tolist() == [expected]
    assert network(images).tolist() == [[2, 3]]


def test_tokens_and_channels_last_are_changed_through_the_view():
    network, tokens = nn.Sequential(nn.Identity(), nn.Flatten(1)), torch.ones(1, 5, 2)

    class Patches(nn.Module):
        def forward(self, x):
            return tokens

    network[0] = Patches()
    with edit(network, "0", 1, remove_second):
        found = network(torch.zeros(1, 3, 8, 8)).view(1, 5, 2)
    assert found[0, :, 0].tolist() == [1] * 5
    assert found[0, :, 1].tolist() == [1, 0, 0, 0, 0]  # the first token is no patch
    assert tokens.all()


def test_edits_are_gone_however_the_block_is_left(network, images):
    with edit(network, "stem", 1, remove_second):
        assert hooks_of(network) == 2
    assert hooks_of(network) == 0
    with pytest.raises(ZeroDivisionError), edit(network, "stem", 1, remove_second):
        raise ZeroDivisionError
    assert hooks_of(network) == 0
    with pytest.raises(Invalid, match="no layer"), edit(network, "nowhere", 1, remove_second):
        pass
    assert hooks_of(network) == 0
    with pytest.raises(Invalid, match="no map"), edit(network, "head", 1, remove_second):
        network(images)
    assert hooks_of(network) == 0


@pytest.mark.parametrize(
    ("shape", "image_size", "expected"),
    [
        ((2, 5, 7, 7), (224, 224), (2, 5, 7, 7)),
        ((2, 7, 7, 5), (224, 224), (2, 5, 7, 7)),
        ((2, 7, 7, 7), (224, 224), (2, 7, 7, 7)),
        ((2, 64, 49, 96), (224, 224), None),
        ((2, 5, 1, 1), (224, 224), (2, 5, 1, 1)),
        ((2, 96, 8, 4), (128, 64), (2, 96, 8, 4)),
        ((2, 8, 4, 96), (128, 64), (2, 96, 8, 4)),
        ((2, 64, 111, 223), (227, 454), (2, 64, 111, 223)),
        ((2, 64, 55, 111), (227, 454), (2, 64, 55, 111)),
        ((1, 5, 7, 7), (224, 224), None),
        ((2, 5), (32, 32), None),
        ((2, 49, 5), (224, 224), (2, 5, 7, 7)),
        ((2, 197, 5), (224, 224), (2, 5, 14, 14)),
        ((2, 198, 5), (224, 224), (2, 5, 14, 14)),
        ((2, 201, 5), (224, 224), (2, 5, 14, 14)),
        ((2, 195, 5), (224, 224), None),
        ((2, 33, 5), (128, 64), (2, 5, 8, 4)),
        ((1, 197, 5), (224, 224), None),
        ((2, 0, 5), (224, 224), None),
        ((2, 3, 5, 7, 7), (32, 32), None),
    ],
)
def test_what_counts_as_a_map(shape, image_size, expected):
    found = as_map(torch.zeros(shape), 2, image_size)
    assert (None if found is None else tuple(found.shape)) == expected


@pytest.mark.parametrize("output", [None, (torch.zeros(1, 2, 3, 3),), {"x": 1}, 5])
def test_what_is_no_tensor_is_no_map(output):
    assert as_map(output, 1, (3, 3)) is None


def test_patches_are_laid_out_row_by_row_without_the_class_token():
    tokens = torch.arange(2 * 33 * 3).view(2, 33, 3)
    found = as_map(tokens, 2, (128, 64))
    assert found[1, 2, 3, 1] == tokens[1, 1 + 3 * 4 + 1, 2]


def test_channels_last_are_turned_round():
    output = torch.arange(2 * 3 * 3 * 5).view(2, 3, 3, 5)
    assert torch.equal(as_map(output, 2, (9, 9))[1, 4], output[1, :, :, 4])
