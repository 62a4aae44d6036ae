"""The best that an attack has found so far."""

import torch
from torch import Tensor

from workers.analysis.attacks.attack import Attacked


def squared_norms(changes: Tensor) -> Tensor:
    """Squares (b,) of the L2 norms of changes (b, 3, H, W), float64: their order does not hang on who adds them up."""
    return changes.square().sum((1, 2, 3), dtype=torch.float64)


class Nearest:
    """The nearest image found so far for each of B; whoever needs no change is done."""

    def __init__(self, images: Tensor, done: Tensor) -> None:
        self.images, self.adversarial = images, images.clone()
        self.squares = torch.full(done.shape, torch.inf, dtype=torch.float64, device=images.device)
        self.squares[done] = 0

    def missing(self) -> Tensor:
        """Which images (b,) are not fooled yet."""
        return self.squares.isinf().nonzero()[:, 0]

    def offer(self, rows: Tensor, pixels: Tensor) -> None:
        """Take images (b, 3, H, W) that reach the goals of `rows` (b,) where they are nearer than what is known."""
        squares = squared_norms(pixels - self.images[rows])
        nearer = squares < self.squares[rows]
        self.squares[rows[nearer]] = squares[nearer]
        self.adversarial[rows[nearer]] = pixels[nearer]

    def attacked(self) -> Attacked:
        """What became of the images."""
        return Attacked(self.adversarial, self.squares.isfinite())
