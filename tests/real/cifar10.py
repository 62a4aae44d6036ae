"""The ResNet-20 and its images as attacks take them: pixels in [0, 1], the preprocessing inside the network."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from workers.networks.exported import ExportedArchive


class Resnet(nn.Module):
    """Pixels (B, 3, 32, 32) in [0, 1] -> logits (B, 10)."""

    def __init__(self, samples: Path) -> None:
        super().__init__()
        self.network = ExportedArchive().open(samples / "nets" / "cifar10_resnet20.pt2", torch.device("cpu"))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))
        self.requires_grad_(False).eval()

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network((pixels - self.mean) / self.std)
        return logits


@cache
def open_resnet(samples: Path) -> Resnet:
    """The network, opened once: an archive is checked in a process of its own, which takes seconds."""
    return Resnet(samples)


def cifar_images(samples: Path, count: int) -> Tensor:
    """The first images of each class in turn, (count, 3, 32, 32)."""
    folders = sorted(folder for folder in (samples / "cifar10").iterdir() if folder.is_dir())
    turns = zip(*(sorted(folder.glob("*.jpg")) for folder in folders), strict=True)
    files = [file for turn in turns for file in turn][:count]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).contiguous()
