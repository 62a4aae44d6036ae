"""Batches of inputs, with labels or without, made by threads while the network computes."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.errors import UnitAtlasError
from workers.networks.inputs import InputSpec, preprocess
from workers.probes.probe import Probe
from workers.probes.segmentation import Segmentation

AHEAD = 2  # batches in the making while one is computed

_T = TypeVar("_T")


@dataclass(frozen=True)
class Batch:
    """Some images as a network takes them, with their labels.

    Attributes
    ----------
    indices : list[int]
        Positions in the probe's images.
    pixels : Tensor
        float32, (B, 3, H, W), on the CPU.
    labels : NDArray[np.uint16]
        (B, channels, G, G): 1 + position in the segmentation's concepts, 0 where there is none.
    """

    indices: list[int]
    pixels: Tensor
    labels: NDArray[np.uint16]


def batches(
    probe: Probe,
    segmentation: Segmentation,
    spec: InputSpec,
    indices: Sequence[int],
    batch_size: int,
    threads: int,
    grid: int,
) -> Iterator[Batch]:
    """Yield the images of these indices in their order, with their labels, a few batches ahead of the consumer.

    Raises
    ------
    UnitAtlasError
        An image or mask cannot be read; the detail names it. Threads end with the iterator, however it ends.
    """

    def sample(index: int) -> _Sample:
        image = probe.image(index)
        return index, preprocess(image, spec), segmentation.labels(index, image, spec.geometry, grid)

    for samples in _ahead(partial(_named, probe, sample), indices, batch_size, threads):
        numbers, pixels, labels = zip(*samples, strict=True)
        yield Batch(list(numbers), torch.stack(pixels), np.stack(labels))


def inputs(probe: Probe, spec: InputSpec, indices: Sequence[int], batch_size: int, threads: int) -> Iterator[Tensor]:
    """Yield the images alone, (B, 3, H, W) float32, in their order; raises what `batches` raises."""

    def sample(index: int) -> Tensor:
        return preprocess(probe.image(index), spec)

    yield from map(torch.stack, _ahead(partial(_named, probe, sample), indices, batch_size, threads))


_Sample = tuple[int, Tensor, NDArray[np.uint16]]


def _named(probe: Probe, sample: Callable[[int], _T], index: int) -> _T:
    """Make a sample; an error names its image."""
    try:
        return sample(index)
    except UnitAtlasError as error:
        raise type(error)(f"image {probe.images[index].name!r}: {error.detail}", errors=error.errors) from error


def _ahead(sample: Callable[[int], _T], indices: Sequence[int], batch_size: int, threads: int) -> Iterator[list[_T]]:
    """Yield the samples of each batch while those of the next are in the making."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="probe")
    try:
        waiting: deque[list[Future[_T]]] = deque()
        for start in range(0, len(indices), batch_size):
            waiting.append([pool.submit(sample, index) for index in indices[start : start + batch_size]])
            if len(waiting) > AHEAD:
                yield [made.result() for made in waiting.popleft()]
        while waiting:
            yield [made.result() for made in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)
