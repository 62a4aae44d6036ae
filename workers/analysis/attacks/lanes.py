"""Images passed through a network in lanes: always the same number at a time, whatever the number of images.

Kernels add up in another order for another batch size. An attack is a chaotic road: one rounding flips a ReLU, another
gradient follows, and after some hundred steps the image is another. With as many lanes always taken, empty ones filled
up with any image, what the network says of an image is the same to the last bit, whoever else is attacked beside it.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from workers.analysis.attacks.attack import Logits
from workers.analysis.attacks.errors import NotDifferentiable, NotFinite
from workers.analysis.attacks.goals import Goal

Losses = Callable[[Tensor, Tensor], Tensor]
"""From logits (b, C) and the images (b,) that they belong to, to what each shall be differentiated for (b,)."""

CPU_LANES, CPU_PIXELS = 16, 8 * 64 * 64  # the maps of more pixels leave the caches of a core
GPU_LANES, GPU_PIXELS = 64, 16 * 224 * 224


def lane_count(images: Tensor) -> int:
    """The number of images (B, 3, H, W) that pass at a time, from their size and device alone."""
    lanes, pixels = (CPU_LANES, CPU_PIXELS) if images.device.type == "cpu" else (GPU_LANES, GPU_PIXELS)
    return max(1, min(lanes, pixels // (images.shape[2] * images.shape[3])))


class Lanes:
    """A network that takes images in lanes, channels last: convolutions are faster that way."""

    def __init__(self, logits: Logits, images: Tensor) -> None:
        self.logits, self.count = logits, lane_count(images)

    def reached(self, pixels: Tensor, goal: Goal) -> Tensor:
        """Tell (B,) which of the images reach their goals."""
        rows = torch.arange(len(pixels), device=pixels.device)
        return goal.reached(self.values(pixels, rows), rows) if len(rows) else rows.bool()

    def values(self, pixels: Tensor, rows: Tensor) -> Tensor:
        """Logits (b, C) of the images `rows` (b,) among pixels (B, 3, H, W), without a gradient."""
        with torch.no_grad():
            return torch.cat([self._logits(self._fill(pixels, lane), lane) for lane in torch.split(rows, self.count)])

    def gradients(self, pixels: Tensor, rows: Tensor, losses: Losses) -> tuple[Tensor, Tensor]:
        """Logits (b, C) of images `rows` (b,) among pixels, and the gradients (b, 3, H, W) of their losses."""
        values, slopes = [], []
        for lane, taken, logits in self.passes(pixels, rows):
            with torch.enable_grad():
                loss = losses(logits, lane).sum()
            values.append(logits.detach())
            slopes.append(gradient(loss, taken)[: len(lane)])
        return torch.cat(values), torch.cat(slopes)

    def passes(self, pixels: Tensor, rows: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Pass images `rows` (b,), giving for each filling of the lanes which they are, their pixels and their logits.

        The pixels are a leaf of the graph of the logits; lanes that were empty are among the pixels alone, at the end.
        """
        for lane in torch.split(rows, self.count):
            taken = self._fill(pixels, lane).requires_grad_()
            with torch.enable_grad():
                logits = self._logits(taken, lane)
            if not logits.requires_grad:
                raise NotDifferentiable(
                    "the network's output has no gradient: some step on the way from the pixels, such as rounding to "
                    "whole numbers or an argmax, cannot be differentiated"
                )
            yield lane, taken, logits

    def _fill(self, pixels: Tensor, lane: Tensor) -> Tensor:
        empty = lane[:1].expand(self.count - len(lane))
        return pixels.detach()[torch.cat([lane, empty])].contiguous(memory_format=torch.channels_last)

    def _logits(self, taken: Tensor, lane: Tensor) -> Tensor:
        logits = self.logits(taken)[: len(lane)].float()
        if not torch.isfinite(logits).all():
            raise NotFinite("the network's output for an image, original or on its way, is infinite or no number")
        return logits


def gradient(loss: Tensor, pixels: Tensor, *, again: bool = False) -> Tensor:
    """Differentiate a loss by its pixels, keeping the graph where `again`.

    Raises NotDifferentiable or NotFinite.
    """
    try:
        (slopes,) = torch.autograd.grad(loss, pixels, retain_graph=again)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise NotDifferentiable(f"the network's output cannot be differentiated by the pixels: {error}") from error
    if not torch.isfinite(slopes).all():
        raise NotFinite("the gradient of the network's output is infinite or no number")
    return slopes
