import pytest
import torch
from torch import nn

from tests.workers.networks.exporting import archive, load_unconfined
from tests.workers.networks.exporting import network as exported_net
from tests.workers.networks.tails.zoo import MEMORY, network, pictures, sets, silenced, studied, swept
from workers.networks import exported
from workers.networks.exported import ExportedArchive
from workers.networks.tails.opening import open_tail

CHANNELS, LAST, TOKENS = {}, {"last": True}, {"last": True, "skip": 1}
CASES = [
    ("vgg", "0.0", CHANNELS),
    ("vgg", "0.4", CHANNELS),
    ("vgg", "0", CHANNELS),
    ("vgg", "1", CHANNELS),
    ("resnet", "bn1", CHANNELS),
    ("resnet", "layer2.0.conv1", CHANNELS),
    ("resnet", "layer2.0.downsample", CHANNELS),
    ("resnet", "layer3.0", CHANNELS),
    ("resnet", "layer4", CHANNELS),
    ("densenet", "features.denseblock1.denselayer2.conv1", CHANNELS),
    ("densenet", "features.denseblock2.denselayer1", CHANNELS),
    ("densenet", "features.denseblock2", CHANNELS),
    ("densenet", "features.norm5", CHANNELS),
    ("mobilenet_v2", "features.4.conv.0", CHANNELS),
    ("mobilenet_v2", "features.8", CHANNELS),
    ("mobilenet_v3", "features.4.block.0", CHANNELS),
    ("mobilenet_v3", "features.9.block.2.fc1", CHANNELS),
    ("squeezenet", "features.6.squeeze", CHANNELS),
    ("squeezenet", "features.12", CHANNELS),
    ("googlenet", "inception4a.branch2.0", CHANNELS),
    ("googlenet", "inception4d", CHANNELS),
    ("shufflenet", "stage3.1.branch2.4", CHANNELS),
    ("shufflenet", "stage3.2", CHANNELS),
    ("regnet", "trunk_output.block3.block3-2.f.b", CHANNELS),
    ("efficientnet", "blocks.3.1.conv_dw", CHANNELS),
    ("convnext", "stages.2.blocks.1.mlp.fc1", CHANNELS),
    ("convnext", "stages.2.blocks.1", CHANNELS),
    ("vit", "encoder.layers.encoder_layer_0", TOKENS),
    ("vit", "encoder.layers.encoder_layer_0.mlp.1", TOKENS),
    ("timm_vit", "blocks.0.mlp.fc1", TOKENS),
    ("timm_vit", "blocks.0", TOKENS),
    ("swin", "features.1.1", LAST),
    ("swin", "features.3.0.attn", LAST),
    ("scenes", "features.relu4_1", CHANNELS),
    ("scenes", "features.relu4_2", CHANNELS),
]


def assert_alike(net, layer, tail, fill, conditions, images, **where):
    kept = tail.keep(images)
    block = tail.block(kept, fill)
    with torch.no_grad():
        untouched = net.module(images.clone())
    allowed = 1e-5 * float(untouched.abs().max())
    torch.testing.assert_close(block.logits, untouched, rtol=0, atol=allowed)
    found, counts = swept(tail, block, conditions)
    for units, logits in zip(conditions, found, strict=True):
        expected = silenced(net, layer, units, images, fill, **where)
        torch.testing.assert_close(logits, expected, rtol=0, atol=allowed)
    return found, counts


@pytest.mark.parametrize(("name", "layer", "where"), CASES)
def test_a_cut_tail_says_what_the_whole_network_says(name, layer, where):
    net = network(name)
    tail = open_tail(net, layer, MEMORY)
    assert (tail.cut, tail.reason) == (True, None)
    fill = torch.zeros(tail.units)
    found, _ = assert_alike(net, layer, tail, fill, sets(tail.units), pictures(net), **where)
    # the sets do change something, or this test would prove nothing
    untouched = tail.keep(pictures(net))["logits"]
    assert (found[-1] - untouched).abs().max() > 1e-3 * untouched.abs().max()


@pytest.mark.parametrize(
    ("name", "layer", "where"),
    [
        ("vgg", "0.6", CHANNELS),
        ("resnet", "layer3.0.bn2", CHANNELS),
        ("densenet", "features.denseblock1.denselayer1", CHANNELS),
        ("shufflenet", "stage2.1.branch2.5", CHANNELS),
        ("vit", "encoder.layers.encoder_layer_0.mlp.1", TOKENS),
        ("swin", "features.1.0", LAST),
    ],
)
def test_units_can_be_set_to_other_values_than_zero(name, layer, where):
    net = network(name)
    tail = open_tail(net, layer, MEMORY)
    maps = tail.maps(tail.keep(pictures(net, 8, seed=2)))
    assert_alike(net, layer, tail, maps.mean((0, 2, 3)), sets(tail.units), pictures(net), **where)


@pytest.mark.parametrize(("name", "layer"), [("vgg", "0.9"), ("scenes", "features.relu4_2"), ("resnet", "layer1")])
def test_every_single_unit(name, layer):
    net = network(name)
    tail = open_tail(net, layer, MEMORY)
    conditions = [[unit] for unit in range(tail.units)]
    assert_alike(net, layer, tail, torch.zeros(tail.units), conditions, pictures(net, 2))


@pytest.mark.parametrize(("name", "layer"), [("vgg", "0.9"), ("mobilenet_v2", "features.8"), ("vit", "encoder.ln")])
def test_what_is_kept_is_float32_and_has_the_images_first(name, layer):
    net = network(name)
    if name == "vit":
        layer = "encoder.layers.encoder_layer_0"
    tail = open_tail(net, layer, MEMORY)
    kept = tail.keep(pictures(net, 5))
    assert {"output", "logits"} <= kept.keys()
    for name, value in kept.items():
        assert name.isalnum()
        assert (len(value), value.dtype, value.device.type) == (5, torch.float32, "cpu")
    assert tail.maps(kept).shape[:2] == (5, tail.units)


def test_blocks_of_what_was_stored_part_by_part():
    net = network("resnet")
    tail = open_tail(net, "layer2.0.bn2", MEMORY)
    images = pictures(net, 5)
    whole, parts = tail.keep(images), [tail.keep(images[:2]), tail.keep(images[2:])]
    joined = {name: torch.cat([part[name].clone() for part in parts]) for name in whole}
    fill = torch.zeros(tail.units)
    one, other = (swept(tail, tail.block(kept, fill), sets(tail.units))[0] for kept in (whole, joined))
    for logits, same in zip(one, other, strict=True):
        torch.testing.assert_close(logits, same, rtol=0, atol=1e-5 * float(whole["logits"].abs().max()))


@pytest.fixture
def opened(monkeypatch, tmp_path):
    monkeypatch.setattr(exported, "load_confined", load_unconfined)

    def run(module, *given):
        (tmp_path / "net.pt2").write_bytes(archive(module, *given))
        return ExportedArchive().open(tmp_path / "net.pt2", torch.device("cpu")).eval().requires_grad_(False)

    return run


def test_exported_networks_are_cut(opened):
    net = studied(opened(exported_net()), 8)
    for layer in ("stem.conv-0", "block.conv", "block.norm", "block"):
        tail = open_tail(net, layer, MEMORY)
        assert tail.cut
        assert_alike(net, layer, tail, torch.zeros(4), sets(4), pictures(net))


def test_an_exported_resnet_is_cut(opened):
    net = studied(opened(network("resnet").module, torch.zeros(2, 3, 32, 32)))
    tail = open_tail(net, "layer3.0.bn1", MEMORY)
    assert tail.cut
    assert_alike(net, "layer3.0.bn1", tail, torch.zeros(tail.units), sets(tail.units), pictures(net))


class Twice(nn.Module):
    """Calls one convolution twice, and reads a unit's map over and over."""

    def __init__(self):
        super().__init__()
        self.stem, self.again, self.idle = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 1), nn.Identity()
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = self.again(self.again(self.stem(x)).relu_())
        x = torch.cat([x, self.idle(x) * 2], 1)
        return self.head(x.relu_().amax((2, 3)))


def test_of_a_layer_that_runs_twice_the_last_output_is_changed():
    torch.manual_seed(1)
    net = studied(Twice(), 8)
    tail = open_tail(net, "again", MEMORY)
    assert tail.cut
    assert_alike(net, "again", tail, torch.zeros(6), sets(6), pictures(net), call=1)


def test_a_layer_that_does_nothing_is_changed_for_those_alone_who_read_it():
    torch.manual_seed(1)
    net = studied(Twice(), 8)
    tail = open_tail(net, "idle", MEMORY)
    assert tail.cut
    assert_alike(net, "idle", tail, torch.zeros(6), sets(6), pictures(net))


def test_images_that_no_unit_changes_keep_their_logits():
    net = network("vgg")
    tail = open_tail(net, "0.8", MEMORY)
    images = pictures(net, 6)
    kept = tail.keep(images)
    kept["output"][:3, 5] = -1  # behind the layer comes a ReLU
    kept["output"][:, 7] = -2
    block = tail.block(kept, torch.zeros(tail.units))
    found = list(block.run([[5], [7], [], [5, 7], [6, 7]]))
    assert [position for position, _, _ in found] == [0, 1, 2, 3, 4]
    assert [images.tolist() for _, images, _ in found[:4]] == [[3, 4, 5], [], [], [3, 4, 5]]
    assert [tuple(logits.shape) for _, _, logits in found[:4]] == [(3, 10), (0, 10), (0, 10), (3, 10)]
    torch.testing.assert_close(found[0][2], found[3][2])


def test_images_that_are_skipped_really_do_not_change():
    net = network("scenes")
    tail = open_tail(net, "features.relu4_2", MEMORY)
    images = pictures(net, 4)
    with torch.no_grad():
        untouched = net.module(images)
    block = tail.block(tail.keep(images), torch.zeros(tail.units))
    skipped = 0
    for unit, rows, _ in block.run([[unit] for unit in range(tail.units)]):
        others = [row for row in range(4) if row not in rows.tolist()]
        skipped += len(others)
        if others:
            assert torch.equal(silenced(net, "features.relu4_2", [unit], images)[others], untouched[others])
    assert skipped > 0


def test_a_class_that_reads_one_unit():
    detect, read = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        detect.weight.copy_(torch.eye(3)[:, :, None, None])
        read.weight.copy_(torch.tensor([[2.0, 0, 0], [0, 3, 0], [0, 0, 0]]))
    net = studied(nn.Sequential(detect, nn.AdaptiveMaxPool2d(1), nn.Flatten(), read), 4)
    tail = open_tail(net, "0", MEMORY)
    images = torch.zeros(2, 3, 4, 4)
    images[0, 0, 1, 1], images[1, 1, 2, 2], images[:, 2, 0, 0] = 1, 1, 1
    block = tail.block(tail.keep(images), torch.zeros(3))
    assert block.logits.tolist() == [[2, 0, 0], [0, 3, 0]]
    logits, counts = swept(tail, block, [[0], [1], [2], [0, 1], [0, 1, 2]])
    assert [found.tolist() for found in logits] == [
        [[0, 0, 0], [0, 3, 0]],
        [[2, 0, 0], [0, 0, 0]],
        [[2, 0, 0], [0, 3, 0]],
        [[0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0]],
    ]
    assert counts == [1, 1, 2, 2, 2]
