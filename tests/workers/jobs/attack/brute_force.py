"""What attacks do by another road: one image after the other through the whole network, loops over images and units."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tests.workers.jobs.planted import NETWORKS


def build(network: str, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NETWORKS[network]().eval()


class Reference:
    """A network, the images of a dataset in the format `folder`, and nothing of the service."""

    def __init__(self, folder: Path, network: str, outputs: list[str], seed: int = 0) -> None:
        self.module, self.outputs = build(network, seed), outputs
        paths = sorted(folder.rglob("*.png"), key=lambda path: str(path.relative_to(folder)).encode())
        self.names = [str(path.relative_to(folder)) for path in paths]
        self.true = [path.parent.name for path in paths]
        self.bytes = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        self.pixels = [as_pixels(image) for image in self.bytes]
        self.logits = [self.run(pixels) for pixels in self.pixels]
        self.predicted = [outputs[int(logits.argmax())] for logits in self.logits]
        self.least = [outputs[int(logits.argmin())] for logits in self.logits]

    @torch.no_grad()
    def run(self, pixels: Tensor) -> Tensor:
        return self.module(pixels[None])[0]

    def classify(self, pixels: Tensor) -> str:
        return self.outputs[int(self.run(pixels).argmax())]

    def wanted(self, target: str | None) -> list[str | None]:
        return self.least if target == "least-likely" else [target] * len(self.names)

    def chosen(self, target: str | None, which: str, most: int | None = None) -> list[int]:
        """Places of the images that are looked at."""
        everything = range(len(self.names))
        if which == "all":
            found = list(everything)
        elif target is None:
            found = [i for i in everything if self.true[i] == self.predicted[i]]
        else:
            wanted = self.wanted(target)
            found = [i for i in everything if wanted[i] not in (self.true[i], self.predicted[i])]
        return found[:most]

    def peaks(self, layer: str, pixels: Tensor) -> np.ndarray:
        kept = []
        hook = self.module.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2].clone()))
        self.run(pixels)
        hook.remove()
        return np.array([unit.max().item() for unit in kept[0][0]])

    def without(self, layer: str, units: list[int], pixels: Tensor) -> str:
        """What an image is taken for with the maps of these units set to 0."""

        def silence(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            silenced = output.clone()
            for unit in units:
                silenced[:, unit] = 0
            return silenced

        with self.module.get_submodule(layer).register_forward_hook(silence):
            return self.classify(pixels)


def as_pixels(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


def by_distance(changes: np.ndarray) -> list[int]:
    """Units from the one that moved most to the one that moved least, of equals the lower first."""
    return sorted(range(len(changes)), key=lambda unit: (-abs(changes[unit]), unit))
