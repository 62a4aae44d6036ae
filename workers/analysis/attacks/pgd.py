"""Projected gradient descent: many small steps, each followed by the nearest image within the budget.

Madry et al. 2018, "Towards deep learning models resistant to adversarial attacks", section 2.1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workers.analysis.attacks.attack import Attacked, Check, Logits
from workers.analysis.attacks.goals import Goal
from workers.analysis.attacks.lanes import Lanes
from workers.analysis.attacks.nearest import Nearest
from workers.analysis.attacks.projections import L2Ball, LinfBall, Norm

Ball = L2Ball | LinfBall
BALLS: Mapping[Norm, Callable[[Tensor, float], Ball]] = {"l2": L2Ball, "linf": LinfBall}


@dataclass(frozen=True)
class PGD:
    """Settings of the attack; lengths are in units of the pixels and of the norm."""

    norm: Norm
    epsilon: float
    step_size: float
    steps: int
    random_starts: int
    """How often each image begins at a random place of its ball; 0 begins once, at the image."""
    seed: int = 0
    stop_at_success: bool = True
    """Without it each image takes all its steps, and what stands at the end of one beginning or another counts."""

    def __call__(
        self,
        logits: Logits,
        images: Tensor,
        labels: Tensor,
        targets: Tensor | None,
        check: Check,
        numbers: Tensor | None = None,
    ) -> Attacked:
        """Attack images as `Attack` says."""
        goal, lanes = Goal.of(labels, targets), Lanes(logits, images)
        nearest = Nearest(images, lanes.reached(images, goal))
        ball, rows = BALLS[self.norm](images, self.epsilon), nearest.missing()
        for beginning in range(max(1, self.random_starts) if self.steps else 0):
            rows = nearest.missing() if self.stop_at_success else rows
            if len(rows):
                pixels = ball.project(images[rows] + self._offsets(ball, images, rows, numbers, beginning), rows)
                self._climb(Climb(goal.take(rows), lanes, ball, rows, pixels), nearest, check)
        return nearest.attacked()

    def _offsets(self, ball: Ball, images: Tensor, rows: Tensor, numbers: Tensor | None, beginning: int) -> Tensor:
        if not self.random_starts:
            return torch.zeros_like(images[rows])
        drawn = rows if numbers is None else numbers[rows]
        seeds = [[self.seed, number, beginning] for number in drawn.tolist()]
        offsets = [ball.draw(np.random.default_rng(seed), images.shape[1:]) for seed in seeds]
        return torch.stack(offsets).to(images.device) * self.epsilon

    def _climb(self, climb: "Climb", nearest: Nearest, check: Check) -> None:
        for _ in range(self.steps):
            check()
            reached = climb.look()
            if self.stop_at_success:
                nearest.offer(climb.rows[reached], climb.pixels[reached])
                climb.keep((~reached).nonzero()[:, 0])
            if not len(climb.rows):
                return
            climb.move(self.step_size)
        reached = climb.lanes.reached(climb.pixels, climb.goal)
        nearest.offer(climb.rows[reached], climb.pixels[reached])


class Climb:
    """Those of the images, `rows` (n,), that are still on their way, and where they are (n, 3, H, W)."""

    def __init__(self, goal: Goal, lanes: Lanes, ball: Ball, rows: Tensor, pixels: Tensor) -> None:
        self.goal, self.lanes, self.ball, self.rows, self.pixels = goal, lanes, ball, rows, pixels

    def look(self) -> Tensor:
        """Learn the slopes of the cross entropy; tell (n,) which images have reached their goals."""
        places = torch.arange(len(self.rows), device=self.rows.device)
        logits, self.slopes = self.lanes.gradients(self.pixels, places, self._losses)
        return self.goal.reached(logits, places)

    def _losses(self, logits: Tensor, places: Tensor) -> Tensor:
        losses = cross_entropy(logits, self.goal.classes[places], reduction="none")
        return -losses if self.goal.targeted else losses

    def keep(self, places: Tensor) -> None:
        """Go on with some of the images alone."""
        self.rows, self.goal = self.rows[places], self.goal.take(places)
        self.pixels, self.slopes = self.pixels[places], self.slopes[places]

    def move(self, size: float) -> None:
        """Take a step of this length, and from there the way to the nearest allowed image."""
        self.pixels = self.ball.project(self.pixels + size * self.ball.direction(self.slopes), self.rows)
