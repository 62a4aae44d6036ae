"""Batches of inputs and labels, made by threads while the network computes."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.errors import UnitAtlasError
from workers.networks.inputs import InputSpec, preprocess
from workers.probes.probe import Probe
from workers.probes.segmentation import Segmentation

AHEAD = 2  # batches in the making while one is computed


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
    pool = ThreadPoolExecutor(threads, thread_name_prefix="probe")
    try:
        waiting: deque[list[Future[_Sample]]] = deque()
        for start in range(0, len(indices), batch_size):
            part = indices[start : start + batch_size]
            waiting.append([pool.submit(_sample, probe, segmentation, spec, index, grid) for index in part])
            if len(waiting) > AHEAD:
                yield _collate(waiting.popleft())
        while waiting:
            yield _collate(waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


_Sample = tuple[int, Tensor, NDArray[np.uint16]]


def _sample(probe: Probe, segmentation: Segmentation, spec: InputSpec, index: int, grid: int) -> _Sample:
    try:
        image = probe.image(index)
        return index, preprocess(image, spec), segmentation.labels(index, image, spec.geometry, grid)
    except UnitAtlasError as error:
        raise type(error)(f"image {probe.images[index].name!r}: {error.detail}", errors=error.errors) from error


def _collate(samples: list[Future[_Sample]]) -> Batch:
    indices, pixels, labels = zip(*(sample.result() for sample in samples), strict=True)
    return Batch(list(indices), torch.stack(pixels), np.stack(labels))
