"""Scene classifiers of Places365 as they were published: source `places365:<name>`."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn
from torchvision import models

from service.errors import Invalid
from workers.networks.downloads import fetch

SCENES = 365
INPUT = {"resize": [256, 256], "crop": [224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
"""As in Bau et al., PNAS 2020: squashed, then cropped."""
NAMES = ("alexnet", "resnet18", "resnet50", "vgg16")
PUBLISHED = {"vgg16": {"pnas2020": "https://dissect.csail.mit.edu/models/vgg16_places365-0bafbc55.pth"}}
"""Weights whose files tell their own digest; the others of the project have to be fetched by hand."""


def source(name: str, pretrained: str | None) -> "Places365Classifier":
    """Find a network, with its pretrained weights where they are named; raise Invalid for an unknown name."""
    if name not in NAMES:
        raise Invalid(f"there is no Places365 network {name!r}; there are {', '.join(NAMES)}", "/source")
    known = PUBLISHED.get(name, {})
    if pretrained is not None and pretrained not in known:
        raise Invalid(
            f"there are no weights {pretrained!r} of places365:{name} that can be fetched and checked, only "
            f"{', '.join(known) or 'none'}; get {name}_places365.pth.tar from the Places365 project, upload it and "
            'give {"artifact": <its sha256>}',
            "/weights/pretrained",
        )
    return Places365Classifier(name, None if pretrained is None else known[pretrained])


@dataclass(frozen=True)
class Places365Classifier:
    """A classifier of the 365 scenes; see `vgg16` for the names of the layers of that one."""

    name: str
    url: str | None
    kind = "classifier"
    input: ClassVar[Mapping[str, Any]] = INPUT
    classes = ()
    concepts = ()

    def weights(self) -> Path:
        """Download the weights that were asked for; raise Invalid where none were, Unavailable if that fails."""
        if self.url is None:
            raise Invalid(
                f"places365:{self.name} comes without weights: upload {self.name}_places365.pth.tar and give it as an "
                "artifact, or give a seed",
                "/weights",
            )
        return fetch(self.url)

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Spell the layers of VGG-16 as `vgg16` does; its published file says `features.conv1_1.weight`."""
        return {_rename(key): tensor for key, tensor in state.items()} if self.name == "vgg16" else state

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """Build the network with its 365 outputs."""
        if self.name == "vgg16":
            return vgg16()
        network = models.get_model(self.name, weights=None, num_classes=SCENES)
        assert isinstance(network, nn.Module)
        return network


def vgg16() -> nn.Sequential:
    """Build VGG-16 with the layers' names of the literature.

    `conv5_3` is the convolution together with its ReLU, as in the figures of Bau et al., PNAS 2020, which are of values
    after the ReLU; `conv5_3.conv` is the convolution alone.
    """
    built = models.vgg16(weights=None, num_classes=SCENES)
    modules = iter(built.features)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for index in range(1, convolutions + 1):
            parts = OrderedDict(conv=next(modules), relu=next(modules))
            layers[f"conv{block}_{index}"] = nn.Sequential(parts)
        layers[f"pool{block}"] = next(modules)
    layers |= {"avgpool": built.avgpool, "flatten": nn.Flatten()}
    names = ("fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8a")
    return nn.Sequential(layers | OrderedDict(zip(names, built.classifier, strict=True)))


def _rename(key: str) -> str:
    """`features.conv1_1.weight` becomes `conv1_1.conv.weight`, `classifier.fc6.weight` `fc6.weight`."""
    part, _, layer = key.partition(".")
    if part == "features" and layer.startswith("conv"):
        name, _, parameter = layer.partition(".")
        return f"{name}.conv.{parameter}"
    return layer if part == "classifier" and layer.startswith("fc") else key
