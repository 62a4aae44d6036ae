"""Bisections of the constant with a descent by Adam at each, for many images at once, each at its own place.

Images do not keep step with each other: the least advanced take the lanes, and whoever has finished a descent begins
the next at once, so that the lanes are full until few images are left.
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

    All that a search knows has one row an image: pixels (n, 3, H, W), figures (n,), losses (n, steps).
    """

    def __init__(self, images: Tensor, rows: Tensor, goal: Goal, constant: float, rate: float, steps: int) -> None:
        self.rows, self.goal, self.rate = rows, goal.take(rows), rate
        self.start = images[rows].mul_(2).sub_(1).mul_(INWARDS).atanh_()
        self.home, self.hidden = _pixels(self.start.tanh()), self.start.clone()
        self.mean, self.variance = torch.zeros_like(self.start), torch.zeros_like(self.start)
        self.step, self.turn = torch.zeros_like(rows), torch.zeros_like(rows)
        self.lower = torch.zeros(rows.shape, dtype=torch.float64, device=rows.device)
        self.constant, self.upper = self.lower + constant, self.lower + torch.inf
        self.found = torch.zeros_like(rows, dtype=torch.bool)  # in this descent
        self.gap, self.expected = self.lower.clone(), self.lower.clone()
        self.sums = self.lower.new_zeros(len(rows), steps + 1)  # of the losses of the first 0, 1, 2, ... steps

    def choose(self, lanes: Lanes) -> tuple[Tensor, bool]:
        """Tell which images (m,) take the lanes next, and whether they do so with a gradient.

        Beyond the boundary the c-term is flat: those who seem to be there pass without a gradient, and once more only
        where they are not. Where they would leave lanes empty, they fill up those of the others.
        """
        order = (self.turn * self.sums.shape[1] + self.step).argsort(stable=True)
        beyond = self.expected[order] < 0
        flat, steep = order[beyond], order[~beyond]
        if len(flat) >= lanes.count or not len(steep):
            return flat[: lanes.count], False
        return torch.cat([steep, flat])[: lanes.count], True

    def look(self, lanes: Lanes, nearest: Nearest, chosen: Tensor, slanted: bool) -> Tensor:
        """Learn losses and, where `slanted`, gradients; give the places (m,) of those who know all of their next step.

        Images that reach their goals are offered.
        """
        curve = self.hidden[chosen].tanh()
        pixels = _pixels(curve)
        gaps, slopes = self._gaps(lanes, nearest, chosen, pixels, slanted)
        known = slanted | (gaps <= 0)
        places, change = chosen[known], pixels.sub_(self.home[chosen])[known]
        squares = squared_norms(change)
        losses = self.constant[places] * gaps[known].clamp(min=0) + squares
        self.sums[places, self.step[places] + 1] = self.sums[places, self.step[places]] + losses
        self.slopes = slopes[known].add_(change, alpha=2)
        self.leaving = (squares < NEAR**2) & self.slopes.flatten(1).any(1)
        self.slopes.mul_(curve[known].square_().neg_().add_(1).mul_(0.5))  # through the tanh
        return places

    def _gaps(
        self, lanes: Lanes, nearest: Nearest, chosen: Tensor, pixels: Tensor, slanted: bool
    ) -> tuple[Tensor, Tensor]:
        goal, rows = self.goal.take(chosen), torch.arange(len(chosen), device=chosen.device)
        slopes = torch.zeros_like(pixels)
        if slanted:
            logits, slopes = lanes.gradients(pixels, rows, lambda given, lane: goal.gaps(given, lane).clamp(min=0))
        else:
            logits = lanes.values(pixels, rows)
        gaps, reached = goal.gaps(logits, rows).double(), goal.reached(logits, rows)
        nearest.offer(self.rows[chosen[reached]], pixels[reached])
        self.found[chosen] |= reached
        self.expected[chosen] = torch.where(slanted | (gaps <= 0), 2 * gaps - self.gap[chosen], gaps)
        self.gap[chosen] = gaps
        return gaps, slopes.mul_(_across(self.constant[chosen]))

    def stalled(self, places: Tensor, window: int, progress: float) -> Tensor:
        """Tell (m,) whose losses of the last `window` steps are above this share of those of the window before.

        A fall that gathers speed is a beginning. Images of nothing but 0 and 1 do not even begin for many steps.
        """
        steps = self.step[places] + 1
        sums = [self.sums[places, (steps - ago * window).clamp(min=0)] for ago in (3, 2, 1, 0)]
        first, before, now = torch.stack(sums).diff(dim=0)
        flattens = (now >= progress * before) & (before - now <= first - before)
        stalled: Tensor = (steps >= 3 * window) & ~self.leaving & flattens
        return stalled

    def move(self, places: Tensor) -> None:
        """Take Adam's next step with images (m,)."""
        self.step[places] += 1
        steps = self.step[places].double()
        mean = self.mean[places].mul_(BETA1).add_(self.slopes, alpha=1 - BETA1)
        variance = self.variance[places].mul_(BETA2).addcmul_(self.slopes, self.slopes, value=1 - BETA2)
        self.mean[places], self.variance[places] = mean, variance
        scale = variance.div_(_across(1 - BETA2**steps)).sqrt_().add_(EPSILON)
        self.hidden[places] -= mean.mul_(_across(self.rate / (1 - BETA1**steps))).div_(scale)

    def end(self, places: Tensor) -> None:
        """End some descents (m,): the next constant lies in the half that is left, or above all so far."""
        found, constant = self.found[places], self.constant[places]
        self.upper[places] = torch.where(found, constant, self.upper[places])
        self.lower[places] = torch.where(found, self.lower[places], constant)
        middle = (self.lower[places] + self.upper[places]) / 2
        self.constant[places] = torch.where(middle.isinf(), constant * GROWTH, middle)
        self.turn[places] += 1
        self._begin(places)

    def _begin(self, places: Tensor) -> None:
        self.hidden[places] = self.start[places]
        for values in (self.mean, self.variance, self.step, self.found, self.gap, self.expected):
            values[places] = 0

    def repeat(self, places: Tensor) -> None:
        """Let some (m,) take the smallest constant again that is known to work."""
        self.constant[places] = self.upper[places].clamp(max=LARGEST)

    def keep(self, places: Tensor) -> None:
        """Go on with some of the images alone."""
        del self.slopes, self.leaving
        self.goal = self.goal.take(places)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[places])


def _pixels(curve: Tensor) -> Tensor:
    return curve.mul(0.5).add_(0.5)


def _across(figures: Tensor) -> Tensor:
    return figures.float()[:, None, None, None]
