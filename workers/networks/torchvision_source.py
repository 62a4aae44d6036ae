"""Classifiers and segmenters of torchvision."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum

from service.errors import Invalid
from workers.networks.downloads import fetch

OUTPUTS = 1000
"""What torchvision builds unless told otherwise."""
RESCALED = ("googlenet", "inception_v3")
"""Published for values from -1 to 1; torchvision converts inside the network, here the input description says it."""


def source(name: str, pretrained: str | None) -> "TorchvisionClassifier | TorchvisionSegmenter":
    """Find a network, with its pretrained weights where they are named; raise Invalid for an unknown name."""
    classifiers, segmenters = models.list_models(module=models), models.list_models(module=models.segmentation)
    if name not in classifiers + segmenters:
        near = get_close_matches(name, classifiers + segmenters, n=5, cutoff=0.4)
        raise Invalid(
            f"torchvision has no classifier or segmenter {name!r}; near it are {', '.join(near) or 'none'}, all are in "
            "torchvision.models.list_models() for the modules torchvision.models and torchvision.models.segmentation",
            "/source",
        )
    network = TorchvisionSegmenter if name in segmenters else TorchvisionClassifier
    published = list(models.get_model_weights(name))
    if pretrained is None:
        return network(name, published[0], named=False)
    for weights in published:
        if weights.name == pretrained:
            return network(name, weights, named=True)
    raise Invalid(
        f"torchvision has no weights {pretrained!r} for {name}; there are {', '.join(w.name for w in published)}",
        "/weights/pretrained",
    )


@dataclass(frozen=True)
class TorchvisionNetwork:
    """One of torchvision's networks and the published weights whose conventions it follows."""

    name: str
    published: WeightsEnum
    named: bool
    """Whether these weights were asked for; else they only tell the usual input and outputs."""

    def weights(self) -> Path:
        """Download the published weights into torch's cache if they are not there; raise Unavailable if that fails."""
        if not self.named:
            raise Invalid(
                f"torchvision:{self.name} comes without weights: give an artifact, pretrained or seed", "/weights"
            )
        return fetch(self.published.url)


class TorchvisionClassifier(TorchvisionNetwork):
    """A classifier of ImageNet's classes, or of as many as its weights tell apart."""

    kind = "classifier"
    concepts = ()

    @property
    def input(self) -> Mapping[str, Any]:
        """Resizing, crop, mean and standard deviation of the published weights, resized bilinearly by all."""
        preset = self.published.transforms()
        (resize,), (crop,) = preset.resize_size, preset.crop_size
        if self.name in RESCALED:
            return {"resize": resize, "crop": [crop, crop], "mean": [0.5] * 3, "std": [0.5] * 3}
        return {"resize": resize, "crop": [crop, crop], "mean": preset.mean, "std": preset.std}

    @property
    def classes(self) -> Sequence[str]:
        """The 1,000 names of ImageNet; none for weights that lack the classifying layers."""
        return self.published.meta["categories"] or []

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Spell DenseNet's layers as torchvision does since 0.3; its published files still say `norm.1`."""
        return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key): state[key] for key in state}

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """Build the classifier with as many outputs as the state's head has, 1,000 without a state."""
        options = self._options(size, state or {})
        try:
            network = models.get_model(self.name, weights=None, **options)
            if (outputs := _count_outputs(network, state or {})) != OUTPUTS:
                network = models.get_model(self.name, weights=None, num_classes=outputs, **options)
        except (ValueError, AssertionError) as error:
            raise Invalid(f"{self.name} does not take images of {size[0]} x {size[1]}: {error}", "/input") from error
        assert isinstance(network, nn.Module)
        return network

    def _options(self, size: tuple[int, int], state: Mapping[str, Tensor]) -> dict[str, Any]:
        if self.name.startswith("vit_"):
            return {"image_size": _square(size)}
        if self.name.startswith("maxvit"):
            return {"input_size": size}
        if self.name in RESCALED:
            auxiliary = any(key.lower().startswith("aux") for key in state)
            return {"aux_logits": auxiliary, "init_weights": not state}
        return {}


class TorchvisionSegmenter(TorchvisionNetwork):
    """DeepLab, FCN or LRASPP, for Pascal VOC's objects or for as many as its weights tell apart."""

    kind = "segmenter"
    classes = ()

    @property
    def input(self) -> Mapping[str, Any]:
        """Mean, standard deviation and size of the published weights, squashed so that no part of an image is cut."""
        preset = self.published.transforms()
        return {"resize": preset.resize_size * 2, "mean": preset.mean, "std": preset.std}

    @property
    def concepts(self) -> Sequence[tuple[str, str] | None]:
        """The objects of the published weights; the background stands for nothing."""
        return [None if name == "__background__" else ("object", name) for name in self.published.meta["categories"]]

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Leave out the auxiliary head, which served the training alone."""
        return {key: tensor for key, tensor in state.items() if not key.startswith("aux_classifier.")}

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """Build the segmenter with as many outputs as the state's head has; it puts out the logits alone."""
        network = self._build(len(self.concepts))
        if (outputs := _count_outputs(network, state or {})) != len(self.concepts):
            network = self._build(outputs)
        network.register_forward_hook(_take_logits)
        return network

    def _build(self, outputs: int) -> nn.Module:
        network = models.get_model(self.name, weights=None, weights_backbone=None, num_classes=outputs, aux_loss=False)
        assert isinstance(network, nn.Module)
        return network


def _take_logits(_module: nn.Module, _inputs: Any, output: Mapping[str, Tensor]) -> Tensor:
    return output["out"]


def _square(size: tuple[int, int]) -> int:
    if size[0] != size[1]:
        raise Invalid(f"a vision transformer takes square images, not {size[0]} x {size[1]}", "/input")
    return size[0]


def _count_outputs(network: nn.Module, state: Mapping[str, Tensor]) -> int:
    """Outputs of the last linear or convolutional module: as many as the state has there, else the usual number."""
    heads = [(name, m.weight) for name, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    name, weight = heads[-1]
    return len(state.get(f"{name}.weight", weight))
