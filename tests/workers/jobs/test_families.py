"""Every family of torchvision's classifiers and some of timm's, dissected and compared with the brute force."""

from typing import Any, NamedTuple

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models

from tests.workers.jobs import brute_force, worlds
from tests.workers.jobs.test_dissection import IMAGENET, check
from workers.jobs.dissection import measuring

IMAGES, GRID = 8, 8
UNAIDED = {"aux_logits": False, "init_weights": True}


class Member(NamedTuple):
    """The smallest member of a family, the side of its input, and layers with a view of each output as a map."""

    source: str
    side: int
    layers: dict[str, str]
    options: dict[str, Any] = {}  # noqa: RUF012


def views(output: Tensor, view: str) -> Tensor:
    """A layer's output as (n, U, h, w): as it is, with the channels last, or patches after some other tokens."""
    match view.split():
        case ["map"]:
            return output
        case ["last"]:
            return output.movedim(-1, 1)
        case ["tokens", others, side]:
            return output[:, int(others) :].unflatten(1, (int(side), int(side))).movedim(-1, 1)
    raise ValueError(view)


MEMBERS = [
    Member("torchvision:alexnet", 64, {"features.1": "map"}),
    Member("torchvision:convnext_tiny", 32, {"features.1.0.block.2": "last", "features.1": "map"}),
    Member("torchvision:densenet121", 32, {"features.pool0": "map", "features.denseblock1.denselayer2": "map"}),
    Member("torchvision:efficientnet_b0", 32, {"features.2": "map"}),
    Member("torchvision:efficientnet_v2_s", 32, {"features.2": "map"}),
    Member("torchvision:googlenet", 64, {"maxpool1": "map", "inception3a.branch3": "map"}, UNAIDED),
    Member("torchvision:inception_v3", 75, {"Conv2d_2b_3x3": "map"}, UNAIDED),
    Member("torchvision:maxvit_t", 224, {"blocks.0": "map"}, {"input_size": (224, 224)}),
    Member("torchvision:mnasnet0_5", 32, {"layers.8": "map", "layers.9": "map"}),
    Member("torchvision:mobilenet_v2", 32, {"features.3": "map"}),
    Member("torchvision:mobilenet_v3_small", 64, {"features.2": "map", "features.4": "map"}),
    Member("torchvision:regnet_x_400mf", 32, {"trunk_output.block1": "map"}),
    Member("torchvision:regnet_y_400mf", 32, {"trunk_output.block1": "map"}),
    Member("torchvision:resnet18", 32, {"layer1.0.relu": "map", "layer2": "map"}),
    Member("torchvision:resnext50_32x4d", 32, {"layer1.2.conv2": "map"}),
    Member("torchvision:shufflenet_v2_x0_5", 64, {"stage2": "map"}),
    Member("torchvision:squeezenet1_1", 48, {"features.3": "map"}),
    Member("torchvision:swin_t", 32, {"features.1": "last", "features.1.0.norm2": "last"}),
    Member("torchvision:swin_v2_t", 32, {"features.1": "last"}),
    Member("torchvision:vgg11_bn", 32, {"features.2": "map"}),
    Member("torchvision:vit_b_32", 128, {"encoder.layers.encoder_layer_1": "tokens 1 4"}, {"image_size": 128}),
    Member("timm:test_vit", 160, {"blocks.2": "tokens 1 10", "patch_embed": "last"}),
    Member("timm:deit_tiny_distilled_patch16_224", 96, {"blocks.5": "tokens 2 6"}, {"img_size": 96}),
    Member("timm:swin_tiny_patch4_window7_224", 56, {"layers.0": "last"}, {"img_size": 56}),
    Member("timm:test_convnext", 64, {"stages.0": "map", "stages.1.blocks.0.norm": "last"}),
    Member("timm:mixer_s32_224", 128, {"blocks.1": "tokens 0 4"}, {"img_size": 128}),
]


def build(member: Member) -> nn.Module:
    """The network of seed 0, built without the service."""
    torch.manual_seed(0)
    library, _, name = member.source.partition(":")
    if library == "timm":
        return timm.create_model(name, **member.options).eval()
    return models.get_model(name, weights=None, **member.options).eval()


def test_every_family_of_torchvision_is_here():
    families = {models.get_model_builder(name).__module__ for name in models.list_models(module=models)}
    names = [member.source.partition(":")[2] for member in MEMBERS if member.source.startswith("torchvision")]
    assert {models.get_model_builder(name).__module__ for name in names} == families


@pytest.mark.parametrize("member", MEMBERS, ids=[member.source for member in MEMBERS])
def test_a_dissection_agrees_with_the_brute_force(driver, member, monkeypatch):
    monkeypatch.setattr(measuring, "SHOWN_HEIGHT", 8)  # pictures take longer than the figures
    world, size = worlds.noise(IMAGES), (member.side, member.side)
    world.write(driver.settings.import_dir / "world")
    driver.queue_dataset("world")
    driver.queue_model("model", member.source, input={"resize": list(size), "crop": None, **IMAGENET})
    driver.run()
    found = driver.found(driver.dissect("model", "world", list(member.layers), grid=GRID))
    assert set(found) == set(member.layers)
    network, pixels = build(member), brute_force.see(world, size, **IMAGENET)
    carriers = brute_force.carriers(world, GRID)
    for layer, view in member.layers.items():
        maps = views(brute_force.layer_maps(network, layer, pixels), view)
        check(found[layer], brute_force.dissect(maps, carriers, GRID, "zero"), list(carriers))
