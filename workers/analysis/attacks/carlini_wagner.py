"""The attack of Carlini and Wagner: the nearest image, by L2, that the network takes for something else.

Carlini and Wagner 2017, "Towards evaluating the robustness of neural networks", section VI. The pixels are
x = (tanh w + 1) / 2, so that none leaves [0, 1], and Adam minimizes |x - x0|^2 + c max(0, gap of the logits). A search
by bisection finds each image's c, the smallest that still fools the network; the nearest image on all the way counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from workers.analysis.attacks.attack import Attacked, Check, Logits
from workers.analysis.attacks.descent import Descent
from workers.analysis.attacks.goals import Goal
from workers.analysis.attacks.lanes import Lanes
from workers.analysis.attacks.nearest import Nearest

CHECKS = 10  # how often in a descent its progress is looked at
GROWTH = 10.0  # of a constant that fools nobody yet
LAST_REPEATS = 10  # with as many bisections, the last tries the largest constant again that is known to work
LARGEST = 1e10

PRESETS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "pnas2020": MappingProxyType(
            {"steps": 1000, "binary_search_steps": 5, "learning_rate": 5e-3, "initial_constant": 1e-2, "confidence": 0}
        ),
        "carlini2017": MappingProxyType(
            {"steps": 10000, "binary_search_steps": 9, "learning_rate": 1e-2, "initial_constant": 1e-3, "confidence": 0}
        ),
    }
)
"""Settings of Bau et al., PNAS 2020, and of the attack's authors."""


@dataclass(frozen=True)
class CarliniWagnerL2:
    """Settings of the attack; early abort and the search for c are every image's own."""

    steps: int = 1000
    binary_search_steps: int = 5
    learning_rate: float = 5e-3
    initial_constant: float = 1e-2
    confidence: float = 0.0
    abort_early: bool = True

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
        goal, lanes = Goal.of(labels, targets, self.confidence), Lanes(logits, images)
        nearest = Nearest(images, lanes.reached(images, goal))
        rows = nearest.missing()
        constants = Constants.begin(self.initial_constant, rows)
        for turn in range(self.binary_search_steps if len(rows) else 0):
            if turn == self.binary_search_steps - 1 and turn + 1 >= LAST_REPEATS:
                constants.repeat()
            descent = Descent(images, rows, goal, constants.value, self.learning_rate)
            self._descend(descent, lanes, nearest, check)
            constants.narrow(descent.found)
        return nearest.attacked()

    def _descend(self, descent: Descent, lanes: Lanes, nearest: Nearest, check: Check) -> None:
        every = -(-self.steps // CHECKS)
        for step in range(self.steps):
            check()
            descent.look(lanes, nearest)
            if self.abort_early and step % every == 0:
                descent.leave_stalled()
            if not len(descent.rows):
                return
            descent.move(step + 1)


class Constants:
    """The bisection for each image's c, (b,) in float64."""

    def __init__(self, value: Tensor, lower: Tensor, upper: Tensor) -> None:
        self.value, self.lower, self.upper = value, lower, upper

    @classmethod
    def begin(cls, initial: float, rows: Tensor) -> "Constants":
        """Begin with the same constant for as many images as there are rows."""
        zero = torch.zeros(rows.shape, dtype=torch.float64, device=rows.device)
        return cls(zero + initial, zero, zero + torch.inf)

    def narrow(self, found: Tensor) -> None:
        """Halve the interval, or go up where nothing worked yet, after a descent that `found` (b,) something or not."""
        self.upper = torch.where(found, self.value, self.upper)
        self.lower = torch.where(found, self.lower, self.value)
        self.value = torch.where(self.upper.isinf(), self.value * GROWTH, (self.lower + self.upper) / 2)

    def repeat(self) -> None:
        """Try the smallest constant again that is known to work."""
        self.value = self.upper.clamp(max=LARGEST)
