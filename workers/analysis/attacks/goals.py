"""When an attack has reached what it wants, and how far it is from that."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

ROUNDING = 1e-5  # share of the largest logit that the same image's logits may differ by from one machine to the next


@dataclass(frozen=True, eq=False)
class Goal:
    """The classes (B,) that the network shall say (`targeted`), or shall not.

    With a `confidence` the logit that wins must do so by that much.
    """

    classes: Tensor
    targeted: bool
    confidence: float = 0.0

    @classmethod
    def of(cls, labels: Tensor, targets: Tensor | None, confidence: float = 0.0) -> "Goal":
        """Leave the labels, or reach the targets where there are any."""
        return cls(labels, False, confidence) if targets is None else cls(targets, True, confidence)

    def take(self, rows: Tensor) -> "Goal":
        """The goals of some of the images, which are counted anew."""
        return replace(self, classes=self.classes[rows])

    def gaps(self, logits: Tensor, rows: Tensor) -> Tensor:
        """How far logits (b, C) of the images `rows` (b,) are from their goals; not positive where they reached it."""
        classes = self.classes[rows, None]
        own = logits.gather(1, classes)[:, 0]
        other = logits.scatter(1, classes, -torch.inf).amax(1)
        return (other - own if self.targeted else own - other) + self.confidence

    def reached(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Tell (b,) which images reached their goals, so clearly that rounding cannot undo it."""
        return self.gaps(logits, rows) < -ROUNDING * logits.abs().amax(1)
