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


class Reader(nn.Module):
    """Class k is as likely as unit k is active anywhere; a class with two units needs either."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(8, 5)
        with torch.no_grad():
            self.read.weight.zero_()
            self.read.bias.zero_()
            for row, column in [(0, 0), (1, 1), (2, 2), (3, 4), (4, 3), (4, 5)]:
                self.read.weight[row, column] = 1
            self.read.bias[0] = 0.125

    def forward(self, maps: Tensor) -> Tensor:
        return self.read(maps.amax((2, 3)))


def readers() -> nn.Sequential:
    """The units of `colors`, read by five classes: red, green, blue, white, and yellow or black."""
    return nn.Sequential(*list(colors())[:2], Reader())


def classifier() -> nn.Sequential:
    """Convolutions with norms and in-place ReLUs, a map that is cut at several places, a head of two linear maps."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(12 * 9, 16),
        nn.ReLU(inplace=True),
        nn.Linear(16, 6),
    )
    with torch.no_grad():
        network[0].weight.mul_(4)
        network[1].running_mean.uniform_(-1, 1)
        network[8].weight.mul_(6)
        network[10].weight.mul_(6)
    return network


class Choosy(nn.Module):
    """Takes one of two ways for the whole batch, so that nobody can say beforehand what follows its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.others, self.last = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(6, 6)

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.stack([self.one(image) for image in self.first(images).relu()])
        return self.last(maps.mean((2, 3)))

    def one(self, maps: Tensor) -> Tensor:
        return self.others(maps[None])[0] if maps.mean().item() > 0.1 else maps[:, 1:-1, 1:-1] * 2


class Root(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return (0.9 - images).sqrt()


def broken() -> nn.Sequential:
    """Its units are not numbers where a pixel is full; a blank image shows nothing of it."""
    return nn.Sequential(Root(), nn.ReLU(), Head())


class Squares(nn.Module):
    """Where latents (n, 4) are positive, units are 1 at places of their own: (n, 6, 4, 4)."""

    def __init__(self) -> None:
        super().__init__()
        places = torch.zeros(6, 4, 4)
        places[0, :2, :2] = places[1, 3, 3] = places[2, 0, 2:] = places[3, :2, :2] = places[5] = 1
        self.register_buffer("places", places)

    def forward(self, latents: Tensor) -> Tensor:
        on = torch.cat([(latents > 0).float()[:, :3], torch.ones_like(latents)[:, :3]], 1)  # units 3 to 5 always
        return on[:, :, None, None] * self.places


def drawer() -> nn.Sequential:
    """Draws pictures (n, 3, 8, 8) from 0 to 1 on black; a cell of its units is 2 x 2 pixels.

    Units 0 and 1 draw red, 2 green, and 3 always a blue square that hides behind the red one of unit 0. Unit 4 is dead,
    unit 5 draws nothing.
    """
    paint = nn.Conv2d(6, 3, 1, bias=False)
    with torch.no_grad():
        paint.weight.copy_(
            torch.tensor([(1, 1, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0), (-1, 0, 0, 1, 0, 0)])[:, :, None, None]
        )
    return nn.Sequential(Squares(), paint, nn.ReLU(), nn.Upsample(scale_factor=2))


NETWORKS = {
    "drawer": drawer,
    "colors": colors,
    "vgg": vgg,
    "broken": broken,
    "readers": readers,
    "classifier": classifier,
    "choosy": Choosy,
}


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
    return Planted(name, "generator" if name == "drawer" else "classifier")
