"""What a dissection looks at: the images of a dataset, or the pictures that a generator makes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from service.catalog.tables import Dataset
from service.database import reading
from service.jobs.estimates import SHOWN_HEIGHT
from workers.jobs.dissection.plan import split_images
from workers.jobs.dissection.scratch import Part
from workers.jobs.kind import ShardContext
from workers.jobs.selection import select_images
from workers.jobs.subjects import open_images, open_labels, open_network, segmenters_of
from workers.networks.network import Network
from workers.probes.generated import Labels, picture_digest, picture_name
from workers.probes.layout import Concept
from workers.probes.loader import batches
from workers.probes.probe import Probe
from workers.probes.segmentation import Segmentation

DECODING_THREADS = 2


class Inputs(NamedTuple):
    """Some images on their way into the network."""

    indices: NDArray[np.int64]
    values: Tensor
    """Images (B, 3, H, W) or latents (B, ...), on the CPU."""
    labels: NDArray[np.uint16] | None
    """(B, channels, G, G); None of pictures that are yet to be made."""


class Seen(NamedTuple):
    """What is kept of images beside what units said of them."""

    labels: NDArray[np.uint16]
    """(B, channels, G, G): 1 + position in the concepts, 0 where there is none."""
    pictures: NDArray[np.uint8] | None
    """(B, h, w, 3), no higher than they are shown; None where they can be had from a dataset."""


class Images(Protocol):
    """The images of a job, and what they are called, by index."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def concepts(self) -> list[Concept]:
        """What their labels tell apart."""

    def batches(self, places: Sequence[int], size: int) -> Iterator[Inputs]:
        """Yield the images at these places of the selection, so many at a time."""

    def see(self, inputs: Inputs, outputs: Tensor | None) -> Seen:
        """Label some images; `outputs` are the network's."""

    def describe(self, index: int) -> tuple[str, str]:
        """Name and digest of an image."""

    def open(self, index: int, parts: Sequence[Part]) -> Image.Image:
        """An image as the network sees or makes it; `parts` hold what all shards of the pass kept."""


@dataclass(frozen=True)
class Subject:
    """A job's network and its images."""

    network: Network
    images: Images


def open_subject(context: ShardContext) -> Subject:
    """Load what the job studies; raise Conflict where it is not any more what was registered."""
    network, params = open_network(context), context.job.params
    if context.job.dataset_id is None:
        return Subject(network, GeneratedImages(network, open_labels(context), params))
    with reading(context.sessions) as session:
        dataset = session.get_one(Dataset, context.job.dataset_id)
    probe = open_images(context, dataset)
    segmentation = Segmentation(probe, params["segmentation"], segmenters_of(context), params["halves"])
    return Subject(network, DatasetImages(network, probe, segmentation, params))


class DatasetImages:
    """Images of a dataset, evenly strided; see `Images`."""

    def __init__(self, network: Network, probe: Probe, segmentation: Segmentation, params: dict[str, Any]) -> None:
        self._network, self._probe, self._segmentation = network, probe, segmentation
        self._grid: int = params["grid"]
        self._selected = np.array(select_images(len(probe.images), params["max_images"]))
        self.count, self.concepts = len(self._selected), segmentation.concepts

    def batches(self, places: Sequence[int], size: int) -> Iterator[Inputs]:
        """Decode and label images ahead."""
        indices = self._selected[places].tolist()
        spec = self._network.input
        for batch in batches(self._probe, self._segmentation, spec, indices, size, DECODING_THREADS, self._grid):
            yield Inputs(np.array(batch.indices), batch.pixels, batch.labels)

    def see(self, inputs: Inputs, outputs: Tensor | None) -> Seen:
        """The labels that came with the images."""
        assert inputs.labels is not None
        return Seen(inputs.labels, None)

    def describe(self, index: int) -> tuple[str, str]:
        """As the dataset calls it, and the sha256 of its file."""
        image = self._probe.images[index]
        return image.name, image.digest

    def open(self, index: int, parts: Sequence[Part]) -> Image.Image:
        """Read it from the dataset, resized and cropped."""
        return self._network.input.geometry.apply(self._probe.image(index))


class GeneratedImages:
    """Pictures of a stretch of a seed's latents; see `Images`."""

    def __init__(self, network: Network, labels: Labels, params: dict[str, Any]) -> None:
        self._network, self._labels = network, labels
        self._grid: int = params["grid"]
        self._seed, self._first = params["latents"]["seed"], params["latents"]["first"]
        self.count, self.concepts = params["latents"]["count"], labels.concepts

    def batches(self, places: Sequence[int], size: int) -> Iterator[Inputs]:
        """Draw latents."""
        for start in range(0, len(places), size):
            indices = np.array(places[start : start + size])
            yield Inputs(indices, self._network.latent.rows(self._seed, self._first + indices), None)

    def see(self, inputs: Inputs, outputs: Tensor | None) -> Seen:
        """Segment the pictures that the network made."""
        assert outputs is not None
        pictures = self._network.latent.pixels(outputs)
        return Seen(self._labels.label(pictures, self._grid), _lower(pictures))

    def describe(self, index: int) -> tuple[str, str]:
        """By seed and latent."""
        latent = self._first + index
        return picture_name(self._seed, latent), picture_digest(self._network.digest, self._seed, latent)

    def open(self, index: int, parts: Sequence[Part]) -> Image.Image:
        """Take it from what the pass kept."""
        part, row = self._places[index]
        return Image.fromarray(parts[part].pictures[row])

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        """Part and row of each picture."""
        shards = enumerate(split_images(range(self.count)))
        return {index: (part, row) for part, shard in shards for row, index in enumerate(shard)}


def _lower(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make pictures (n, H, W, 3) that are higher than they are shown as high as that."""
    height, width = pictures.shape[1:3]
    if height <= SHOWN_HEIGHT:
        return pictures
    size = (round(width * SHOWN_HEIGHT / height), SHOWN_HEIGHT)
    return np.stack([np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BICUBIC)) for each in pictures])


def join(seen: Sequence[Seen]) -> Seen:
    """Put what was kept of several batches together."""
    pictures = [each.pictures for each in seen if each.pictures is not None]
    return Seen(np.concatenate([each.labels for each in seen]), np.concatenate(pictures) if pictures else None)
