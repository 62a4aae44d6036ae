"""What a generator learns from, beside the pictures themselves: critics of its pictures and of what is seen in them.

They have weights of unit variance which are scaled as they are used, as the generator's are (Karras et al., ICLR 2018).
"""

from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.scenes.classifier import load_classifier

SLOPE = 0.2  # of the leaky ReLU below zero
WIDTHS = {32: 32, 16: 48, 8: 96, 4: 128}  # units of the maps that measure so many pixels
SEEN = {"relu2_2": 48, "relu3_2": 80, "relu4_2": 128}  # layers of the classifier that the eye passes on
GAIN = {"relu2_2": 33.0, "relu3_2": 40.0, "relu4_2": 5.0}  # gives their maps a mean square of about 1
HEAD = 32  # units of a head
GROUP = 8  # pictures whose differences the critic sees together


class ScaledConvolution(nn.Module):
    """A convolution whose weights are scaled to keep the variance of its input."""

    def __init__(
        self, inputs: int, units: int, kernel: int, stride: int = 1, padding: int = 0, gain: float = sqrt(2)
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(units, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(units))
        self.scale, self.stride, self.padding = gain / (kernel * sqrt(inputs)), stride, padding

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, units, h', w')."""
        return F.conv2d(maps, self.weight * self.scale, self.bias, self.stride, self.padding)


class Pyramid(nn.Sequential):
    """Maps that are halved until they measure 4 x 4: (n, 3, r, r) -> (n, 128, 4, 4)."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.add_module(f"enter{resolution}", ScaledConvolution(3, WIDTHS[resolution], 3, padding=1))
        self.append(nn.LeakyReLU(SLOPE))
        while resolution > 4:
            halved = ScaledConvolution(WIDTHS[resolution], WIDTHS[resolution // 2], 4, stride=2, padding=1)
            self.add_module(f"halve{resolution}", halved)
            self.add_module(f"relu{resolution}", nn.LeakyReLU(SLOPE))
            resolution //= 2


class Eye(nn.Module):
    """What the trained classifier of the scenes sees: (n, 3, r, r) -> its maps behind each of three blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.features = load_classifier().features.requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Maps of the layers in SEEN."""
        maps, seen = 2 * pictures, []  # the classifier takes pixels from -2 to 2
        for name, layer in self.features.named_children():
            maps = layer(maps)
            if name in SEEN:
                seen.append(maps * GAIN[name])
        return seen


class Heads(nn.ModuleList):
    """How much what the eye sees looks like painted pictures, place by place, for each of the maps in SEEN."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(
                ScaledConvolution(units, HEAD, 3, padding=1), nn.LeakyReLU(SLOPE), ScaledConvolution(HEAD, 1, 1, gain=1)
            )
            for units in SEEN.values()
        )

    def forward(self, seen: Sequence[Tensor]) -> list[Tensor]:
        """(n, U, h, w) -> (n, 1, h, w), for each of the maps."""
        return [head(maps) for head, maps in zip(self, seen, strict=True)]


class Critic(nn.Module):
    """How much a picture looks like a painted one, by its pixels alone: (n, 3, r, r) -> (n,)."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(resolution)
        self.compare = ScaledConvolution(WIDTHS[4] + 1, WIDTHS[4], 3, padding=1)
        self.judge = ScaledConvolution(WIDTHS[4], 1, 4, gain=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Above 0 for what it takes for painted."""
        maps = self.pyramid(pictures)
        maps = F.leaky_relu(self.compare(torch.cat([maps, _variety(maps)], 1)), SLOPE)
        verdict: Tensor = self.judge(maps)
        return verdict.flatten()


def _variety(maps: Tensor) -> Tensor:
    """How much the pictures of each group differ, as a further map of each: (n, U, h, w) -> (n, 1, h, w)."""
    count, _, height, width = maps.shape
    groups = maps.view(GROUP, -1, *maps.shape[1:])  # picture i is in group i % (n / GROUP)
    spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # (n / GROUP,)
    return spread.repeat(GROUP).view(count, 1, 1, 1).expand(-1, -1, height, width)
