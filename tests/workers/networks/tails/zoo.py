"""Small networks of every family, and what they say with units removed, by a hook of the tests' own."""

from functools import cache

import timm
import torch
from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vgg import make_layers

from workers.networks.inputs import InputSpec
from workers.networks.network import Network
from workers.scenes.classifier import load_classifier

CLASSES = 10
MEMORY = 2**28


def vgg():
    features = make_layers([8, "M", 12, "M", 16, 24, "M"])
    head = [nn.Flatten(), nn.Linear(24 * 16, 40), nn.ReLU(True), nn.Dropout(), nn.Linear(40, CLASSES)]
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(4), *head)


def densenet():
    return models.DenseNet(8, (2, 3), 16, num_classes=CLASSES)


def vit():
    return models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=CLASSES)


def swin():
    return models.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=CLASSES)


def timm_vit():
    name = "vit_tiny_patch16_224"
    return timm.create_model(name, img_size=32, patch_size=8, depth=2, embed_dim=48, num_classes=CLASSES)


BUILDERS = {
    "vgg": vgg,
    "resnet": lambda: ResNet(BasicBlock, [1, 1, 2, 1], num_classes=CLASSES),
    "densenet": densenet,
    "mobilenet_v2": lambda: models.mobilenet_v2(width_mult=0.25, num_classes=CLASSES),
    "mobilenet_v3": lambda: models.mobilenet_v3_small(width_mult=0.5, num_classes=CLASSES),
    "squeezenet": lambda: models.squeezenet1_1(num_classes=CLASSES),
    "googlenet": lambda: models.googlenet(num_classes=CLASSES, aux_logits=False, init_weights=False),
    "shufflenet": lambda: models.shufflenet_v2_x0_5(num_classes=CLASSES),
    "regnet": lambda: models.regnet_y_400mf(num_classes=CLASSES),
    "efficientnet": lambda: timm.create_model("efficientnet_lite0", num_classes=CLASSES),
    "convnext": lambda: timm.create_model("convnext_atto", ls_init_value=1.0, num_classes=CLASSES),
    "vit": vit,
    "timm_vit": timm_vit,
    "swin": swin,
    "scenes": load_classifier,
}
SIZES = {"scenes": 64, "squeezenet": 48, "googlenet": 48}


def studied(module, side=32):
    """A module in eval mode as a network with its classes counted."""
    module.eval().requires_grad_(False)
    classes = module(torch.zeros(1, 3, side, side)).shape[1]
    names = [str(index) for index in range(classes)]
    return Network(module, "classifier", InputSpec(crop=(side, side)), names, [], "0" * 64, torch.device("cpu"))


@cache
def network(name):
    """A network as if trained: its norms know what they see, about, and no weight is left at zero."""
    torch.manual_seed(0)
    module, side = BUILDERS[name](), SIZES.get(name, 32)
    if name != "scenes":
        for parameter in module.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, 0, 0.1)
        norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # the mean over all batches seen, here one
        with torch.no_grad():
            module.train()(torch.randn(24, 3, side, side))
        for norm in norms:
            norm.running_mean += 0.2 * norm.running_var.sqrt() * torch.randn(norm.num_features)
            norm.running_var *= torch.rand(norm.num_features) + 0.5
            norm.running_var += 0.5 * norm.running_var.mean()  # or rounding would be blown up
    return studied(module, side)


def pictures(net, count=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, *net.input.size, generator=generator)


def silenced(net, layer, units, images, fill=None, last=False, skip=0, call=0):
    """Logits of the whole network with units of a layer's output overwritten.

    `last`: the units lie along the last dimension; `skip`: tokens that are no patches; `call`: which of the layer's
    calls in a pass it is.
    """
    fill = torch.zeros(10**4) if fill is None else fill
    seen = []

    def overwrite(_module, _inputs, output):
        seen.append(None)
        if len(seen) != call + 1:
            return output
        output = output.clone()
        for unit in units:
            if last:
                output[:, skip:, ..., unit] = fill[unit]
            else:
                output[:, unit] = fill[unit]
        return output

    with net.module.get_submodule(layer).register_forward_hook(overwrite), torch.no_grad():
        return net.module(images.clone())


def swept(tail, block, conditions):
    """Logits of every image under each condition, and how many images were run for it."""
    logits, counts = [], []
    for position, images, changed in block.run(conditions):
        assert position == len(logits)
        logits.append(block.logits.index_copy(0, images, changed))
        counts.append(len(images))
    assert len(logits) == len(conditions)
    return logits, counts


def sets(units):
    """Conditions of one, two and three units, of all but two, and of all."""
    some = [units - 1, units // 2, 0]
    return [[0], [units // 3], some[1:], some, [unit for unit in range(units) if unit not in some[:2]], range(units)]
