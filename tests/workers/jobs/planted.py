"""Networks of the tests' own, as a source `planted:<name>` whose answers are known."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
YELLOW, WHITE, BLACK = (255, 255, 0), (255, 255, 255), (0, 0, 0)
DETECTORS = ["red", "green", "blue", "yellow", "white", "black"]
DEAD, CONSTANT = 6, 7


class Head(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


def colors() -> nn.Sequential:
    """A unit fires with 1 exactly on the pixels of its pure colour; two more are always 0 and always 1."""
    rows = [(1, -1, -1), (-1, 1, -1), (-1, -1, 1), (1, 1, -1), (1, 1, 1), (-1, -1, -1), (0, 0, 0), (0, 0, 0)]
    detect = nn.Conv2d(3, len(rows), 1)
    with torch.no_grad():
        detect.weight.copy_(torch.tensor(rows)[:, :, None, None])
        detect.bias.copy_(torch.tensor([0, 0, 0, -1, -2, 1, -1, 1]))
    return nn.Sequential(detect, nn.ReLU(inplace=True), Head())


def vgg() -> nn.Sequential:
    """Convolutions, an in-place ReLU after each, pooling; the last unit of its last layer is dead."""
    last = nn.Conv2d(16, 24, 3, padding=1)
    with torch.no_grad():
        last.weight[-1], last.bias[-1] = 0, -1
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        last,
        nn.ReLU(inplace=True),
        Head(),
    )


class Root(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return (0.9 - images).sqrt()


def broken() -> nn.Sequential:
    """Its units are not numbers where a pixel is full; a blank image shows nothing of it."""
    return nn.Sequential(Root(), nn.ReLU(), Head())


NETWORKS = {"colors": colors, "vgg": vgg, "broken": broken}


@dataclass
class Planted:
    name: str
    kind: str = "classifier"
    input: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    concepts: tuple[()] = ()

    def build(self, size: object, state: object) -> nn.Module:
        return NETWORKS[self.name]()


def source(name: str, pretrained: str | None) -> Planted:
    return Planted(name)
