"""Adam on many images at once, each with its own loss, its own constant and its own end."""

import torch
from torch import Tensor

from workers.analysis.attacks.goals import Goal
from workers.analysis.attacks.lanes import Lanes
from workers.analysis.attacks.nearest import Nearest, squared_norms

INWARDS = 0.999999  # pixels at 0 and 1 are moved this much inwards: tanh reaches neither
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
PROGRESS = 0.9999  # a loss that did not fall below this share of what it was will not fall any more


class Descent:
    """Those n of b images that have not stopped: |x - x0|^2 + c max(0, gap), over w where x = (tanh w + 1) / 2.

    What stands in `found` (b,) is, for all of them, whether some image on the way reached the goal.
    """

    def __init__(self, images: Tensor, rows: Tensor, goal: Goal, constants: Tensor, rate: float) -> None:
        self.rows, self.goal, self.constants, self.rate = rows, goal.take(rows), constants, rate
        self.places = torch.arange(len(rows), device=rows.device)  # (n,), among the b images
        self.found = torch.zeros_like(rows, dtype=torch.bool)
        self.hidden = images[rows].mul_(2).sub_(1).mul_(INWARDS).atanh_()  # (n, 3, H, W): w
        self.home = _pixels(self.hidden.tanh())
        self.mean, self.variance = torch.zeros_like(self.hidden), torch.zeros_like(self.hidden)
        self.previous = torch.full_like(constants, torch.inf)
        self.inside = torch.zeros_like(self.found)

    def look(self, lanes: Lanes, nearest: Nearest) -> None:
        """Learn the losses and their gradients; offer the images that reach their goals."""
        self.curve = self.hidden.tanh()
        pixels = _pixels(self.curve)
        self.slopes, gaps, reached = self._differentiate(lanes, pixels)
        self.inside = gaps <= 0
        self.found[self.places[reached]] = True
        nearest.offer(self.rows[reached], pixels[reached])
        change = pixels.sub_(self.home)
        self.losses = self.constants * gaps.clamp(min=0) + squared_norms(change)
        self.slopes.add_(change, alpha=2)

    def _differentiate(self, lanes: Lanes, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the gradients of the c-term, the gaps (n,) and who reached the goal (n,).

        Beyond the boundary the term is flat. Who was there a step ago mostly still is, and passes without a backward
        pass; who fell back passes once more.
        """
        gaps, reached = torch.zeros_like(self.constants), torch.zeros_like(self.inside)
        slopes = torch.zeros_like(pixels)
        beyond = self.inside.nonzero()[:, 0]
        if len(beyond):
            logits = lanes.values(pixels, beyond)
            gaps[beyond], reached[beyond] = self._judge(logits, beyond)
        outside = (~self.inside | (gaps > 0)).nonzero()[:, 0]
        if len(outside):
            logits, found = lanes.gradients(pixels, outside, self.goal.gaps)
            gaps[outside], reached[outside] = self._judge(logits, outside)
            factors = (self.constants * (gaps > 0))[outside].float()
            slopes[outside] = found.mul_(factors[:, None, None, None])
        return slopes, gaps, reached

    def _judge(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.goal.gaps(logits, rows).double(), self.goal.reached(logits, rows)

    def leave_stalled(self) -> None:
        """Stop those whose losses have hardly fallen since the last call."""
        going = self.losses <= PROGRESS * self.previous
        self.previous = self.losses
        if not going.all():
            self._keep(going.nonzero()[:, 0])

    def _keep(self, rows: Tensor) -> None:
        self.goal = self.goal.take(rows)
        for name in ("rows", "places", "constants", "inside", "previous", "losses"):
            setattr(self, name, getattr(self, name)[rows])
        for name in ("hidden", "home", "mean", "variance", "curve", "slopes"):
            setattr(self, name, getattr(self, name)[rows])

    def move(self, step: int) -> None:
        """Take Adam's step of this number, counted from 1."""
        slopes = self.slopes.mul_(self.curve.square_().neg_().add_(1).mul_(0.5))  # through the tanh
        self.mean.mul_(BETA1).add_(slopes, alpha=1 - BETA1)
        self.variance.mul_(BETA2).addcmul_(slopes, slopes, value=1 - BETA2)
        scale = (self.variance / (1 - BETA2**step)).sqrt_().add_(EPSILON)
        self.hidden.addcdiv_(self.mean, scale, value=-self.rate / (1 - BETA1**step))


def _pixels(curve: Tensor) -> Tensor:
    return curve.mul(0.5).add_(0.5)
