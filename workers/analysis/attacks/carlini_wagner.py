"""The attack of Carlini and Wagner: the nearest image, by L2, that the network takes for something else.

Carlini and Wagner 2017, "Towards evaluating the robustness of neural networks", section VI. The pixels are
x = (tanh w + 1) / 2, so that none leaves [0, 1], and Adam minimizes |x - x0|^2 + c max(0, gap of the logits). A search
by bisection finds each image's c, the smallest that still fools the network; the nearest image on all the way counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from workers.analysis.attacks.attack import Attacked, Check, Logits
from workers.analysis.attacks.goals import Goal
from workers.analysis.attacks.lanes import Lanes
from workers.analysis.attacks.nearest import Nearest
from workers.analysis.attacks.searches import Searches

WINDOWS = 10  # a descent's progress is that of one such part of its steps over the part before
MEMORY = 10  # steps that Adam remembers: what is newer than that is no sign of progress
PROGRESS = 0.995  # a loss that does not fall below this share of what it was is as good as at its end
LAST_REPEATS = 10  # with as many bisections, the last tries the largest constant again that is known to work

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
        if self.steps and self.binary_search_steps:
            rows = nearest.missing()
            searches = Searches(images, rows, goal, self.initial_constant, self.learning_rate, self.steps)
            self._run(searches, lanes, nearest, check)
        return nearest.attacked()

    def _run(self, searches: Searches, lanes: Lanes, nearest: Nearest, check: Check) -> None:
        window = max(-(-self.steps // WINDOWS), MEMORY)
        while len(searches.rows):
            check()
            places = searches.look(lanes, nearest, *searches.choose(lanes))
            ended = searches.step[places] + 1 == self.steps
            if self.abort_early:
                ended |= searches.stalled(places, window, PROGRESS)
            searches.move(places)
            if ended.any():
                self._turn(searches, places[ended])

    def _turn(self, searches: Searches, ended: Tensor) -> None:
        searches.end(ended)
        if self.binary_search_steps >= LAST_REPEATS:
            searches.repeat(ended[searches.turn[ended] == self.binary_search_steps - 1])
        if (searches.turn[ended] == self.binary_search_steps).any():
            searches.keep((searches.turn < self.binary_search_steps).nonzero()[:, 0])
