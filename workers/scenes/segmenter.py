"""The segmenter of the built-in scenes: what every pixel shows, as object, part and material."""

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from workers.scenes.concepts import CATEGORIES, CONCEPTS

WEIGHTS = Path(__file__).parent / "weights" / "scenes-segmenter.safetensors"
OUTPUTS: tuple[tuple[str, str] | None, ...] = (None, *CONCEPTS)
"""What the outputs stand for; the first is none at all."""
CELL = 2  # pixels along each side of a cell of the finest maps
WIDTHS = (24, 48, 96, 128)  # units of the maps, from 32 x 32 down to 4 x 4
LAST = 32  # units that the outputs are read from


class SceneSegmenter(nn.Module):
    """Logits of OUTPUTS at every second pixel: (n, 3, 64, 64) -> (n, 83, 32, 32).

    A U-Net (Ronneberger et al., MICCAI 2015) whose skips are added. The logit of none is always 0, so that one network
    may name an object, a part and a material of the same pixel, each only where it is likelier than none.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = (3 * CELL**2, *WIDTHS)
        self.down = nn.ModuleList(_block(a, b, b) for a, b in pairwise(inputs))
        self.across = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(WIDTHS))
        self.up = nn.ModuleList(_block(width, width) for width in (WIDTHS[1], WIDTHS[2]))
        self.last = _block(WIDTHS[0], LAST)
        self.outputs = nn.Conv2d(LAST, len(CONCEPTS), 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each output."""
        maps = F.pixel_unshuffle(images, CELL)
        skipped = []
        for i, block in enumerate(self.down):
            maps = block(F.max_pool2d(maps, 2) if i else maps)
            skipped.append(maps)
        for across, block, skip in zip(
            reversed(self.across), (*reversed(self.up), self.last), skipped[-2::-1], strict=True
        ):
            maps = block(skip + F.interpolate(across(maps), scale_factor=2.0))
        logits: Tensor = self.outputs(maps)
        return torch.cat([torch.zeros_like(logits[:, :1]), logits], 1)


def contests(logits: Tensor) -> list[Tensor]:
    """The logits (n, 83, h, w) of none and of one category's concepts, (n, 1 + concepts, h, w), for each category."""
    places = [[0] + [i for i, output in enumerate(OUTPUTS) if output and output[0] == name] for name in CATEGORIES]
    return [logits[:, chosen] for chosen in places]


def named(logits: Tensor) -> Tensor:
    """The likeliest of each category: logits (n, 83, h, w) -> (n, 3, h, w) of 1 + position in CONCEPTS, 0 for none."""
    winners = [contest.argmax(1) for contest in contests(logits)]
    before = [[category for category, _ in CONCEPTS].index(name) for name in CATEGORIES]
    return torch.stack(
        [torch.where(won > 0, won + skipped, 0) for won, skipped in zip(winners, before, strict=True)], 1
    )


def _block(*widths: int) -> nn.Sequential:
    layers = nn.Sequential()
    for inputs, units in pairwise(widths):
        layers.extend([nn.Conv2d(inputs, units, 3, padding=1, bias=False), nn.BatchNorm2d(units), nn.ReLU()])
    return layers


def load_segmenter(weights: Path = WEIGHTS) -> SceneSegmenter:
    """Load a trained network, float32 and in eval mode; the file holds float16."""
    network = SceneSegmenter()
    network.load_state_dict(load_file(weights))
    return network.eval()
