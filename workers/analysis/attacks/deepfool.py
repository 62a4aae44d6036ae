"""DeepFool: again and again to the nearest of the boundaries, as if the network were linear.

Moosavi-Dezfooli, Fawzi and Frossard 2016, "DeepFool: a simple and accurate method to fool deep neural networks",
algorithm 2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.analysis.attacks.attack import Attacked, Check, Logits
from workers.analysis.attacks.goals import Goal
from workers.analysis.attacks.lanes import Lanes, gradient
from workers.analysis.attacks.nearest import Nearest, squared_norms

PAST = 1e-4  # how much farther than to the boundary each step goes
LEAST = 1e-8  # added to the norm of a gradient


@dataclass(frozen=True)
class DeepFoolL2:
    """Settings of the attack, which can leave a class and not choose another."""

    steps: int = 50
    candidates: int = 10
    """Classes that are considered, the one to leave and the likeliest others."""
    overshoot: float = 0.02
    """Share by which the whole change is made larger."""

    def __call__(
        self,
        logits: Logits,
        images: Tensor,
        labels: Tensor,
        targets: Tensor | None,
        check: Check,
        numbers: Tensor | None = None,
    ) -> Attacked:
        """Attack images as `Attack` says; raise ValueError if there are targets."""
        if targets is not None:
            raise ValueError("DeepFool looks for the nearest other class; it cannot be told which")
        goal, lanes = Goal.of(labels, None), Lanes(logits, images)
        nearest = Nearest(images, lanes.reached(images, goal))
        rows = nearest.missing()
        if len(rows) and self.steps:
            self._walk(Walk(images, rows, goal.take(rows), lanes, self.candidates), nearest, check)
        return nearest.attacked()

    def _walk(self, walk: "Walk", nearest: Nearest, check: Check) -> None:
        for _ in range(self.steps):
            check()
            reached = walk.look()
            nearest.offer(walk.rows[reached], walk.pixels[reached])
            walk.keep((~reached).nonzero()[:, 0])
            if not len(walk.rows):
                return
            walk.move(self.overshoot)
        reached = walk.lanes.reached(walk.pixels, walk.goal)
        nearest.offer(walk.rows[reached], walk.pixels[reached])


class Walk:
    """Those of the images, `rows` (n,), that are still on their way, and where they are (n, 3, H, W)."""

    def __init__(self, images: Tensor, rows: Tensor, goal: Goal, lanes: Lanes, candidates: int) -> None:
        self.rows, self.goal, self.lanes, self.home, self.pixels = rows, goal, lanes, images[rows], images[rows]
        self.change = torch.zeros_like(self.home)
        logits = lanes.values(self.pixels, torch.arange(len(rows), device=rows.device))
        others = logits.scatter(1, goal.classes[:, None], -torch.inf)
        self.others = others.topk(min(candidates, logits.shape[1]) - 1).indices  # (n, k)

    @torch.enable_grad()
    def look(self) -> Tensor:
        """Find each image's way to its nearest boundary; tell (n,) which have crossed one."""
        reached, self.ways = torch.zeros_like(self.rows, dtype=torch.bool), torch.zeros_like(self.pixels)
        for lane, taken, logits in self.lanes.passes(self.pixels, torch.arange(len(self.rows), device=reached.device)):
            reached[lane] = self.goal.reached(logits, lane)
            if not reached[lane].all():
                leads = logits.gather(1, self.others[lane]) - logits.gather(1, self.goal.classes[lane, None])
                self.ways[lane] = _nearest_way(leads, taken)
        return reached

    def keep(self, places: Tensor) -> None:
        """Go on with some of the images alone."""
        self.goal = self.goal.take(places)
        for name in ("rows", "home", "pixels", "change", "others", "ways"):
            setattr(self, name, getattr(self, name)[places])

    def move(self, overshoot: float) -> None:
        """Go on to the boundaries, and somewhat beyond."""
        self.change += self.ways
        self.pixels = (self.home + (1 + overshoot) * self.change).clamp_(0, 1)


def _nearest_way(leads: Tensor, pixels: Tensor) -> Tensor:
    """The shortest of the ways (m, 3, H, W) on which leads (m, k) would vanish if they were linear in the pixels."""
    shortest, ways = torch.full_like(leads[:, 0], torch.inf), torch.zeros_like(pixels[: len(leads)])
    for index in range(leads.shape[1]):
        slopes = gradient(leads[:, index].sum(), pixels, again=index < leads.shape[1] - 1)[: len(leads)]
        norms = squared_norms(slopes).sqrt().float() + LEAST
        lengths = leads[:, index].detach().abs() / norms
        nearer = (lengths < shortest)[:, None, None, None]
        ways = torch.where(nearer, ((lengths + PAST) / norms)[:, None, None, None] * slopes, ways)
        shortest = torch.minimum(shortest, lengths)
    return ways
