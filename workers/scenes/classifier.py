"""The classifier of the built-in scenes: convolutions in the manner of VGG, read out at the peak of each unit."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from workers.scenes.renderer import SCENES, SIZE, SPLITS, render

INPUT: dict[str, Any] = {
    "resize": [SIZE, SIZE],
    "crop": None,
    "channels": "rgb",
    "scale": 1 / 255,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
BLOCKS = ((24,), (48, 48), (80, 80), (128, 128))  # units of each convolution; between two blocks the maps are halved
LAST_LAYER = "features.relu4_2"
WEIGHTS = Path(__file__).parent / "weights" / "scenes-classifier.safetensors"
CALIBRATION = 256  # training images that an untrained network's norms have seen


class SceneClassifier(nn.Module):
    """Tell which of SCENES an image shows: (B, 3, 64, 64) -> logits (B, 20).

    Every unit of the last layer reaches the logits by its highest activation alone, so that it counts as soon as
    what it detects is anywhere in the image.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(OrderedDict(_layers()))
        self.classifier = nn.Linear(BLOCKS[-1][-1], len(SCENES))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each class."""
        maps = self.features(images)  # (B, 128, 8, 8)
        logits: Tensor = self.classifier(maps.amax((2, 3)))  # (B, 128) -> (B, 20)
        return logits


def _layers() -> Iterator[tuple[str, nn.Module]]:
    inputs = 3
    for block, widths in enumerate(BLOCKS, start=1):
        if block > 1:
            yield f"pool{block - 1}", nn.MaxPool2d(2)
        for i, units in enumerate(widths, start=1):
            yield f"conv{block}_{i}", nn.Conv2d(inputs, units, 3, padding=1, bias=False)
            yield f"norm{block}_{i}", nn.BatchNorm2d(units)
            yield f"relu{block}_{i}", nn.ReLU()
            inputs = units


def as_input(images: NDArray[np.uint8]) -> Tensor:
    """Turn images (B, 64, 64, 3) into what the network takes, float32 (B, 3, 64, 64)."""
    mean, std = (torch.tensor(INPUT[name]).view(3, 1, 1) for name in ("mean", "std"))
    pixels = torch.tensor(images).permute(0, 3, 1, 2) * float(INPUT["scale"])
    return (pixels - mean) / std


def load_classifier(weights: Path = WEIGHTS) -> SceneClassifier:
    """Load a trained network, float32 and in eval mode; the file holds float16."""
    network = SceneClassifier()
    network.load_state_dict(load_file(weights))
    return network.eval()


def untrained(seed: int) -> SceneClassifier:
    """Build the same network with random weights, in eval mode: the control for all that training brought about."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = SceneClassifier()
        calibrated(network)
        return network


@torch.no_grad()
def calibrated(network: nn.Module) -> nn.Module:
    """Give a network's norms the statistics of training images, as those of any trained network have; in eval mode.

    Without that most of its random units would stay silent, and a comparison with them would flatter a trained one.
    """
    split, _ = SPLITS["scenes-train"]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all batches seen, here one
    network.train()(as_input(np.stack([render(split, index).image for index in range(CALIBRATION)])))
    return network.eval()
