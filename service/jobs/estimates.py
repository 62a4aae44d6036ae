"""What a dissection costs, reckoned from the sizes of its inputs alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

PERMUTATION, ROTATION, UNTRAINED = "permutation", "rotation", "untrained"
PILOT_IMAGES = 32
"""Images of the first shard, which the other shards' bounds come from."""
IMAGES_IN_SHARD = 64
UNITS_IN_SHARD = 256
UNIT_SECONDS = 0.005
"""Thresholds, counts, scores and pictures of a unit, on one core for hundreds of images."""
PERMUTATIONS = 200
"""How often the control `permutation` deals out the masks anew."""
LOOKUP_SECONDS = 1e-8
"""Looking up one label of one pixel."""
SAMPLE_BYTES = 8
"""A kept sample: a float32 value and its uint32 position."""
SLACK = 2.0
"""Samples kept for each one above the threshold, because the threshold is known only after the pass."""
SHOWN_HEIGHT, SHOWN_IMAGE_BYTES = 112, 4500
"""Of a top image of a unit as it is shown, a JPEG."""


@dataclass(frozen=True)
class LayerSize:
    """A layer's units and the size of their maps."""

    units: int
    height: int
    width: int


@dataclass(frozen=True)
class DissectionSize:
    """The sizes that a dissection's cost follows from."""

    images: int
    grid: int
    label_channels: int
    concepts: int
    layers: Sequence[LayerSize]
    quantile: float
    top_images: int
    segmenter_seconds: Sequence[float] = ()
    """Seconds that an image takes in each segmenter that labels it."""
    controls: Sequence[str] = ()
    picture_bytes: int = 0
    """What is kept of each picture that a generator makes, until its units are measured."""

    @property
    def views(self) -> int:
        """How often each layer is looked at: as it is, in a random basis, untrained."""
        return 1 + len({ROTATION, UNTRAINED} & {*self.controls})

    @property
    def units(self) -> int:
        """Units of all layers."""
        return sum(layer.units for layer in self.layers)


@dataclass(frozen=True)
class Estimate:
    """What a job would take, and how long on the workers that are there; `seconds` is None without workers."""

    shards: int
    forward_passes: int
    scratch_bytes: int
    artifact_bytes: int
    seconds: float | None
    workers: int
    notes: Sequence[str] = ()
    """What makes the job dearer than one would think."""


def estimate_dissection(size: DissectionSize, seconds_per_image: float, workers: int) -> Estimate:
    """Reckon what a dissection takes when each image takes that many seconds of one worker, and has no labels yet."""
    collecting = ceil(max(0, size.images - PILOT_IMAGES) / IMAGES_IN_SHARD)
    blocks = sum(ceil(layer.units / UNITS_IN_SHARD) for layer in size.layers)
    networks = 2 if UNTRAINED in size.controls else 1
    seconds = size.images * (networks * seconds_per_image + sum(size.segmenter_seconds)) + _seconds_after(size)
    return Estimate(
        shards=1 + collecting + size.views * blocks + blocks,  # each block of a layer is measured, then scored
        forward_passes=size.images * (networks + len(size.segmenter_seconds)),
        scratch_bytes=scratch_bytes(size),
        artifact_bytes=_artifact_bytes(size),
        seconds=seconds / workers if workers else None,
        workers=workers,
    )


def _seconds_after(size: DissectionSize) -> float:
    """What measuring and scoring take once the images have passed."""
    measured = UNIT_SECONDS * size.views * size.units
    if PERMUTATION not in size.controls:
        return measured
    pixels = size.images * size.grid**2 * size.quantile  # of a unit
    return measured + LOOKUP_SECONDS * PERMUTATIONS * size.units * pixels * size.label_channels


def _artifact_bytes(size: DissectionSize) -> int:
    pictures = size.units * size.top_images * SHOWN_IMAGE_BYTES
    matrices = 4 * size.units * size.concepts
    return pictures + matrices


def scratch_bytes(size: DissectionSize) -> int:
    """Scratch space that a dissection takes."""
    return ceil(size.images * scratch_bytes_per_image(size))


def scratch_bytes_per_image(size: DissectionSize) -> float:
    """Scratch space that each image of a dissection takes."""
    cells = size.grid**2
    samples = size.views * size.units * cells * min(1.0, SLACK * size.quantile) * SAMPLE_BYTES
    peaks = 4 * size.views * size.units
    copies = 2 if PERMUTATION in size.controls else 1
    labels = 2 * size.label_channels * cells * copies + 2 * 4 * size.concepts  # totals by shard, and joined
    return samples + peaks + labels + _top_map_bytes(size) / IMAGES_IN_SHARD + size.picture_bytes


def _top_map_bytes(size: DissectionSize) -> int:
    # each shard of images keeps its own top images' maps, no larger than the grid
    areas = (layer.units * min(layer.height, size.grid) * min(layer.width, size.grid) for layer in size.layers)
    return 4 * min(size.top_images, IMAGES_IN_SHARD) * sum(areas)


def images_that_fit(size: DissectionSize, available_bytes: int) -> int:
    """The most images for which a dissection of otherwise this size keeps within the scratch space; 0 if none."""
    return int(available_bytes / scratch_bytes_per_image(size))
