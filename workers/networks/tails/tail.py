"""What follows a layer: run from kept outputs, for many sets of removed units."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor

OUTPUT, LOGITS = "output", "logits"
"""Of what is kept of each image: the layer's raw output, and the untouched network's logits."""
Kept = dict[str, Tensor]
Condition = Sequence[int]
"""Units that are removed together."""
Result = tuple[int, Tensor, Tensor]
"""A condition's position, the rows (m,) of the images that it may have changed, and their logits (m, C)."""


class Block(Protocol):
    """Some images, ready for conditions."""

    @property
    def logits(self) -> Tensor:
        """The untouched network's logits (b, C), on its device."""

    def run(self, conditions: Sequence[Condition]) -> Iterator[Result]:
        """Yield every condition once, in order; images whose rows are not named keep their logits exactly.

        Raises
        ------
        Invalid
            If the memory does not suffice for a single image, or logits come out that are no numbers.
        """


class Tail(Protocol):
    """What follows a layer of a classifier, for images of which something was kept."""

    @property
    def cut(self) -> bool:
        """Whether only what follows the layer runs, and not the whole network."""

    @property
    def reason(self) -> str | None:
        """Why the network could not be cut."""

    @property
    def units(self) -> int:
        """Units of the layer."""

    @property
    def image_bytes(self) -> int:
        """Bytes that a block holds of each image, beside what `run` takes."""

    def keep(self, pixels: Tensor) -> Kept:
        """Run the network once on images (B, 3, H, W) and return what is kept of each.

        All of it is float32, on the CPU, images first; `output` and `logits` are always there.

        Raises
        ------
        Invalid
            If the memory does not suffice for a single image, or logits come out that are no numbers.
        """

    def maps(self, kept: Mapping[str, Tensor]) -> Tensor:
        """View the layer's kept outputs as maps (B, U, h, w)."""

    def block(self, kept: Mapping[str, Tensor], fill: Tensor) -> Block:
        """Make images ready for conditions; the map of a unit that is removed becomes its value of `fill` (U,)."""
