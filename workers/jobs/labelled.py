"""Images with their classes, as positions among a network's outputs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import Invalid
from workers.probes.probe import Probe, ProbeImage


@dataclass(frozen=True)
class ImageSet:
    """Images of a dataset in their order, with the position of each one's class among the network's outputs (n,)."""

    probe: Probe
    indices: list[int]
    classes: NDArray[np.int64]

    @property
    def images(self) -> list[ProbeImage]:
        """What is known of them without opening them."""
        return [self.probe.images[index] for index in self.indices]


def read_labelled(probe: Probe, indices: Sequence[int], outputs: Sequence[str], pointer: str) -> ImageSet:
    """Take images of a dataset; raise Invalid, at the pointer, where not one output stands for the class of each."""
    positions = _positions(probe.classes, outputs, pointer)
    classes = []
    for index in indices:
        image = probe.images[index]
        if image.class_index is None:
            raise Invalid(f"image {image.name!r} has no class; the job asks what its images are taken for", pointer)
        classes.append(positions[image.class_index])
    return ImageSet(probe, list(indices), np.array(classes, np.int64))


def _positions(classes: Sequence[str], outputs: Sequence[str], pointer: str) -> list[int]:
    """The output that stands for each of a dataset's classes."""
    named = Counter(outputs)
    for name in classes:
        if named[name] != 1:
            problem = "no output" if not named[name] else f"{named[name]} outputs"
            raise Invalid(f"{problem} of the network stand for class {name!r}; one must", pointer)
    return [outputs.index(name) for name in classes]
