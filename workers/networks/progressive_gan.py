"""The generator of a progressively grown GAN, as the paper dissects it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn

EPSILON = 1e-8  # keeps the normalization of an all-zero pixel finite
SLOPE = 0.2  # of the leaky ReLU below zero


class PixelNorm(nn.Module):
    """Scale each pixel's units to a mean square of 1."""

    def forward(self, maps: Tensor) -> Tensor:
        """(n, U, h, w) -> the same shape."""
        return maps / torch.sqrt(maps.square().mean(1, keepdim=True) + EPSILON)


class WeightScale(nn.Module):
    """Multiply by a constant, so that weights of unit variance do for every layer, and add each unit's bias."""

    def __init__(self, units: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.b = nn.Parameter(torch.zeros(units))

    def forward(self, maps: Tensor) -> Tensor:
        """(n, U, h, w) -> the same shape."""
        return maps * self.scale + self.b.view(1, -1, 1, 1)


class ProgressiveGenerator(nn.Module):
    """Draw pictures from latents: (n, d) or (n, d, 1, 1) -> (n, 3, r, r), about -1 to 1 and not clamped.

    The architecture of Karras et al. (ICLR 2018), its layers named `layer1` ... `layerL` and `output_RxR` as in the
    checkpoints of Bau et al. (PNAS 2020). Maps measure 4 x 4 in layers 1 and 2 and twice as much in each further pair.
    """

    def __init__(self, resolution: int, sizes: Sequence[int]) -> None:
        """Build it with random weights of unit variance.

        Parameters
        ----------
        resolution : int
            Pixels along each side of a picture: 4 times a power of 2.
        sizes : sequence of int
            Length of a latent, then the units of each resolution from 4 up.

        Raises
        ------
        ValueError
            The sizes do not lead to that resolution.
        """
        super().__init__()
        if len(sizes) < 2 or resolution != 2 ** len(sizes):
            raise ValueError(f"{len(sizes)} sizes lead to {2 ** len(sizes)} pixels and not to {resolution}")
        self.latent = sizes[0]
        for number, layer in enumerate(_layers(sizes), start=1):
            self.add_module(f"layer{number}", layer)
        self.add_module(f"output_{resolution}x{resolution}", _output(sizes[-1]))

    def forward(self, latents: Tensor) -> Tensor:
        """Pictures of the latents."""
        maps = latents.reshape(len(latents), self.latent, 1, 1)
        for layer in self.children():
            maps = layer(maps)
        return maps


def _layers(sizes: Sequence[int]) -> Iterator[nn.Sequential]:
    for block, (inputs, units) in enumerate(pairwise(sizes)):
        yield _layer(inputs, units, grow=True) if block else _layer(inputs, units, kernel=4, padding=3)
        yield _layer(units, units)


def _layer(inputs: int, units: int, kernel: int = 3, padding: int = 1, grow: bool = False) -> nn.Sequential:
    layer = nn.Sequential()
    layer.add_module("norm", PixelNorm())
    if grow:
        layer.add_module("up", nn.Upsample(scale_factor=2, mode="nearest"))
    layer.add_module("conv", _convolution(inputs, units, kernel, padding))
    layer.add_module("wscale", WeightScale(units, sqrt(2) / (kernel * sqrt(inputs))))
    layer.add_module("relu", nn.LeakyReLU(SLOPE))
    return layer


def _output(inputs: int) -> nn.Sequential:
    layer = nn.Sequential()
    layer.add_module("norm", PixelNorm())
    layer.add_module("conv", _convolution(inputs, 3, 1, 0))
    layer.add_module("wscale", WeightScale(3, 1 / sqrt(inputs)))
    return layer


def _convolution(inputs: int, units: int, kernel: int, padding: int) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, units, kernel, padding=padding, bias=False)
    nn.init.normal_(convolution.weight)
    return convolution
