"""What an attack is: images and what to change of a network's opinion of them, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

Logits = Callable[[Tensor], Tensor]
"""From pixels (b, 3, H, W) in [0, 1] to logits (b, C); the network's preprocessing is inside, and so in the gradient.

What it puts out for an image may not depend on the other images of the batch.
"""
Check = Callable[[], None]
"""Called once a step; raises whatever shall end the attack."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """What became of B images.

    Attributes
    ----------
    adversarial : (B, 3, H, W) float32
        Pixels in [0, 1]; of an image that was not fooled, its original.
    succeeded : (B,) bool
        Whether the network's opinion of the image is what was wanted. An image that needed no change has none.
    """

    adversarial: Tensor
    succeeded: Tensor


class Attack(Protocol):
    """Settings of an attack, which is a function of images.

    What `find_attack` returns has these members, whether it is ours or another package's; it needs to inherit nothing.
    """

    def __call__(
        self,
        logits: Logits,
        images: Tensor,
        labels: Tensor,
        targets: Tensor | None,
        check: Check,
        numbers: Tensor | None = None,
    ) -> Attacked:
        """Attack images, each by itself: the outcome of one does not depend on the others.

        Parameters
        ----------
        logits
            The network.
        images : (B, 3, H, W) float32
            Pixels in [0, 1]. The network meets them in the memory format that they have.
        labels : (B,) int64
            The classes that the network shall no longer say.
        targets : (B,) int64
            The classes that it shall say instead; None where any other will do.
        check
            Called between steps.
        numbers : (B,) int64
            The images' numbers: whatever is random about an image is drawn from its number. None counts from 0.

        Raises
        ------
        NotFinite
            If the network puts out, for an image on the way, what is infinite or no number.
        NotDifferentiable
            If the logits have no gradient.
        """
