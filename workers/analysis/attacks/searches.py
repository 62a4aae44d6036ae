"""Bisections of the constant with a descent by Adam at each, for many images at once, each at its own place.

Whoever has finished a descent begins the next at once, so that as many images as possible pass together.
"""

import torch
from torch import Tensor

from workers.analysis.attacks.goals import Goal
from workers.analysis.attacks.lanes import Lanes
from workers.analysis.attacks.nearest import Nearest, squared_norms

INWARDS = 0.999999  # pixels at 0 and 1 are moved this much inwards: tanh reaches neither
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
GROWTH = 10.0  # of a constant that fools nobody yet
LARGEST = 1e10
NEAR = 1e-3  # L2: what has not come farther, and is drawn, is still leaving 0 and 1, where the tanh is all but flat


class Searches:
    """Those n of B images that have not finished: each one's |x - x0|^2 + c max(0, gap), over w where 2 x = tanh w + 1.

    All that a search knows has one row an image: pixels (n, 3, H, W), figures (n,).
    """

    def __init__(self, images: Tensor, rows: Tensor, goal: Goal, constant: float, rate: float) -> None:
        self.rows, self.goal, self.rate = rows, goal.take(rows), rate
        self.start = images[rows].mul_(2).sub_(1).mul_(INWARDS).atanh_()
        self.home, self.hidden = _pixels(self.start.tanh()), self.start.clone()
        self.mean, self.variance = torch.zeros_like(self.start), torch.zeros_like(self.start)
        self.step, self.turn = torch.zeros_like(rows), torch.zeros_like(rows)
        self.lower = torch.zeros(rows.shape, dtype=torch.float64, device=rows.device)
        self.constant, self.upper = self.lower + constant, self.lower + torch.inf
        self.found = torch.zeros_like(rows, dtype=torch.bool)  # in this descent
        self.gap, self.expected = self.lower.clone(), self.lower.clone()
        self.total, self.previous = self.lower.clone(), self.upper.clone()

    def look(self, lanes: Lanes, nearest: Nearest) -> None:
        """Learn the losses and their gradients; offer the images that reach their goals."""
        self.curve = self.hidden.tanh()
        pixels = _pixels(self.curve)
        self.slopes, gaps, reached = self._differentiate(lanes, pixels)
        self.gap, self.expected = gaps, 2 * gaps - self.gap
        self.found |= reached
        nearest.offer(self.rows[reached], pixels[reached])
        change = pixels.sub_(self.home)
        squares = squared_norms(change)
        self.total += self.constant * gaps.clamp(min=0) + squares
        self.slopes.add_(change, alpha=2)
        self.leaving = (squares < NEAR**2) & self.slopes.flatten(1).any(1)

    def _differentiate(self, lanes: Lanes, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the gradients of the c-term, the gaps (n,) and who reached the goal (n,).

        Beyond the boundary the term is flat: those who seem to be there pass without a gradient, and once more only
        where they are not.
        """
        gaps, reached = torch.zeros_like(self.gap), torch.zeros_like(self.found)
        slopes, beyond = torch.zeros_like(pixels), self.expected < 0

        def note(places: Tensor, logits: Tensor) -> None:
            gaps[places], reached[places] = self.goal.gaps(logits, places).double(), self.goal.reached(logits, places)

        if len(places := beyond.nonzero()[:, 0]):
            note(places, lanes.values(pixels, places))
        if len(places := (~beyond | (gaps > 0)).nonzero()[:, 0]):
            logits, slopes[places] = lanes.gradients(pixels, places, self._hinges)
            note(places, logits)
        return slopes.mul_(_across(self.constant)), gaps, reached

    def _hinges(self, logits: Tensor, places: Tensor) -> Tensor:
        return self.goal.gaps(logits, places).clamp(min=0)

    def stalled(self, every: int, progress: float) -> Tensor:
        """Tell (n,) whose mean loss, over the last `every` steps, is above this share of what it was before those.

        Images of nothing but 0 and 1 have not begun to move for many steps, and are not told.
        """
        due = self.step % every == 0
        mean = self.total / torch.where(self.step == 0, 1, every)
        stalled = due & ~self.leaving & ~(mean <= progress * self.previous)
        self.previous = torch.where(due, mean, self.previous)
        self.total = torch.where(due, 0, self.total)
        return stalled

    def move(self) -> None:
        """Take Adam's next step."""
        self.step += 1
        slopes = self.slopes.mul_(self.curve.square_().neg_().add_(1).mul_(0.5))  # through the tanh
        self.mean.mul_(BETA1).add_(slopes, alpha=1 - BETA1)
        self.variance.mul_(BETA2).addcmul_(slopes, slopes, value=1 - BETA2)
        steps = self.step.double()
        scale = (self.variance / _across(1 - BETA2**steps)).sqrt_().add_(EPSILON)
        self.hidden.addcdiv_(self.mean * _across(self.rate / (1 - BETA1**steps)), scale, value=-1)

    def end(self, ended: Tensor) -> None:
        """End the descents of some (n,): the next constant lies in the half that is left, or above all so far."""
        self.upper = torch.where(ended & self.found, self.constant, self.upper)
        self.lower = torch.where(ended & ~self.found, self.constant, self.lower)
        further = torch.where(self.upper.isinf(), self.constant * GROWTH, (self.lower + self.upper) / 2)
        self.constant = torch.where(ended, further, self.constant)
        self.turn += ended
        self._begin(ended.nonzero()[:, 0])

    def _begin(self, places: Tensor) -> None:
        self.hidden[places] = self.start[places]
        for values in (self.mean, self.variance, self.step, self.found, self.total, self.gap):
            values[places] = 0
        self.previous[places], self.expected[places] = torch.inf, 0

    def repeat(self, again: Tensor) -> None:
        """Let some (n,) take the smallest constant again that is known to work."""
        self.constant = torch.where(again, self.upper.clamp(max=LARGEST), self.constant)

    def keep(self, places: Tensor) -> None:
        """Go on with some of the images alone."""
        self.goal = self.goal.take(places)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[places])


def _pixels(curve: Tensor) -> Tensor:
    return curve.mul(0.5).add_(0.5)


def _across(figures: Tensor) -> Tensor:
    return figures.float()[:, None, None, None]
