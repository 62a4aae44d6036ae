"""What a format's reader finds in a tree of files: pictures, their masks, and what the numbers in these mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.probes.trees import Tree

MAX_CONCEPTS = 2**16 - 2  # labels are uint16, with 0 for none
UNKNOWN = 2**16 - 1


class Concept(NamedTuple):
    """Something that a pixel can show; names are unique within a category only."""

    category: str
    name: str


class Numbering:
    """The meaning of a mask's numbers: number -> 1 + position of its concept among the dataset's concepts."""

    def __init__(self, labels: Mapping[int, int]) -> None:
        known = {0: 0, **labels}
        self._numbers = np.array(sorted(known), np.int64)
        self._labels = np.array([known[number] for number in sorted(known)], np.uint16)

    def labels(self, numbers: NDArray[np.integer]) -> NDArray[np.uint16]:
        """Translate numbers of any shape; UNKNOWN stands where a number has no meaning."""
        places = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        return np.where(self._numbers[places] == numbers, self._labels[places], np.uint16(UNKNOWN))

    def unknown(self, numbers: NDArray[np.integer]) -> list[int]:
        """The distinct numbers that have no meaning, in order."""
        return [int(n) for n in np.setdiff1d(numbers, self._numbers)]


Decoder = Callable[[bytes, str, int], NDArray[np.integer]]
"""Bytes, name of the file, most pixels -> the numbers of a mask, (h, w); raises Invalid."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A file whose pixels are the numbers of concepts."""

    channel: int
    """Masks of one channel of an image exclude each other: a later one covers an earlier one."""
    file: str
    decode: Decoder
    numbering: Numbering
    exact: bool = False
    """Whether it must have as many pixels as its image; any other size is stretched."""

    def read(self, data: bytes, max_pixels: int) -> NDArray[np.integer]:
        """The numbers of the mask in these bytes, (h, w); raise Invalid where they are no mask."""
        return self.decode(data, self.file, max_pixels)


class WholeLabel(NamedTuple):
    """A label that every pixel of an image carries."""

    channel: int
    """A channel that no mask of the image uses."""
    label: int
    """1 + position of the concept among the dataset's concepts."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file with what is known of it."""

    name: str
    file: str
    class_index: int | None = None
    masks: tuple[Mask, ...] = ()
    whole_labels: tuple[WholeLabel, ...] = ()


@dataclass(frozen=True)
class Layout:
    """All of a dataset but the bytes of its pictures and masks."""

    pictures: list[Picture]
    concepts: list[Concept]
    classes: list[str]
    channels: list[str]
    """What the channels of the labels hold: the concepts' categories, one as often as it has layers."""
    tables: list[str]
    """The other files that the reader used."""


Reader = Callable[[Tree], Layout]
"""A dataset format: finds its pictures and masks in a tree by names and tables alone; raises Invalid."""
