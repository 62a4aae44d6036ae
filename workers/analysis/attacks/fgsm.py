"""The fast gradient sign method: one step to the edge of the L-inf ball.

Goodfellow, Shlens and Szegedy 2015, "Explaining and harnessing adversarial examples", section 4.
"""

from dataclasses import dataclass

from torch import Tensor

from workers.analysis.attacks.attack import Attacked, Check, Logits
from workers.analysis.attacks.pgd import PGD


@dataclass(frozen=True)
class FGSM:
    """Settings of the attack: how far, in units of the pixels, it goes."""

    epsilon: float

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
        step = PGD("linf", self.epsilon, step_size=self.epsilon, steps=1, random_starts=0)
        return step(logits, images, labels, targets, check)
