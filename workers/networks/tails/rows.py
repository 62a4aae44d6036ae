"""Pairs of a condition and an image, computed as many at a time as the memory takes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from service.errors import Invalid
from workers.networks.footprint import is_out_of_memory
from workers.networks.tails.tail import LOGITS, Condition, Kept, Result

ENOUGH = 8 * 2**20
"""Bytes of the largest value of some rows beyond which a CPU gains nothing from more."""
FEWEST, MOST = 4, 4096

_T = TypeVar("_T")


class Segment(NamedTuple):
    """Some of the images that a condition may change."""

    position: int
    units: Condition
    images: Tensor
    """Their rows (m,), int64."""


class RowLimit:
    """How many rows are computed at once; fewer from then on where the memory ended."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def lower(self, tried: int, device: torch.device) -> None:
        """Go on with half of as many as were tried; raise Invalid where that is none."""
        if tried == 1:
            raise Invalid("the memory does not suffice for a single image behind this layer", "/layer")
        self.rows = min(self.rows, tried // 2)
        if device.type == "cuda":
            torch.cuda.empty_cache()


def count_rows(row_bytes: int, largest_bytes: int, device: torch.device, memory_bytes: int) -> int:
    """How many rows, the largest value of each of so many bytes, are computed at once.

    As many as fit, but no more than make it any faster.
    """
    if device.type == "cuda":
        fitting = torch.cuda.mem_get_info(device)[0] // 2 // max(1, row_bytes)
        return max(1, min(fitting, MOST))
    enough = max(FEWEST, ENOUGH // max(1, largest_bytes))
    return max(1, min(memory_bytes // max(1, row_bytes), enough, MOST))


Compute = Callable[[Sequence[Segment]], Tensor]
"""From segments of n images altogether to their logits (n, C)."""


def sweep(segments: Iterable[Segment], limit: RowLimit, compute: Compute, none: Tensor) -> Iterator[Result]:
    """Compute all segments, one a condition, in order, and yield each condition's images and logits.

    `none` are the logits (0, C) of no images.
    """
    parts = (pair for batch in _batches(segments, limit) for pair in _compute(batch, limit, compute, none))
    for position, group in groupby(parts, lambda part: part[0].position):
        found = list(group)
        yield position, torch.cat([part.images for part, _ in found]), torch.cat([logits for _, logits in found])


def keep_all(
    pixels: Tensor, limit: RowLimit, device: torch.device, read: Callable[[Tensor], dict[str, Tensor]]
) -> Kept:
    """Have images (B, 3, H, W) read as many at a time as the memory takes, and gather what was kept on the CPU."""
    parts: list[Kept] = []
    for kept in in_parts(len(pixels), limit, device, lambda part: read(pixels[part].to(device))):
        check_numbers(kept[LOGITS])
        parts.append({name: value.cpu() for name, value in kept.items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def in_parts(count: int, limit: RowLimit, device: torch.device, compute: Callable[[slice], _T]) -> Iterator[_T]:
    """Compute so many rows, as many at a time as the memory takes, and yield what was computed of each part."""
    start = 0
    while start < count:
        part = slice(start, min(start + limit.rows, count))
        try:
            with torch.inference_mode():
                computed = compute(part)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            limit.lower(part.stop - start, device)
            continue
        yield computed
        start = part.stop


def changed_segments(conditions: Sequence[Condition], changed: Tensor) -> Iterator[Segment]:
    """Find for each condition the images on which one of its units changes anything, from such a table (b, U)."""
    where = changed.cpu()
    for position, units in enumerate(conditions):
        images = where[:, list(units)].any(1).nonzero().flatten()
        yield Segment(position, units, images.to(changed.device))


def pair_up(segments: Sequence[Segment], rows: Tensor) -> Iterator[tuple[Segment, Tensor]]:
    """Yield each segment with its part of some rows (n, ...), a view."""
    return zip(segments, torch.split(rows, [len(segment.images) for segment in segments]), strict=True)


def _compute(
    batch: Sequence[Segment], limit: RowLimit, compute: Compute, none: Tensor
) -> Iterator[tuple[Segment, Tensor]]:
    some = [segment for segment in batch if len(segment.images)]
    return pair_up(batch, _attempt(some, limit, compute) if some else none)


def _batches(segments: Iterable[Segment], limit: RowLimit) -> Iterator[list[Segment]]:
    """Gather segments until the limit is reached; the last one of a batch may go on in the next."""
    batch: list[Segment] = []
    room = limit.rows
    for segment in segments:
        rest = segment
        while len(rest.images) > room:
            yield [*batch, rest._replace(images=rest.images[:room])] if room else batch
            rest, batch, room = rest._replace(images=rest.images[room:]), [], limit.rows
        batch.append(rest)
        room -= len(rest.images)
    if batch:
        yield batch


def _attempt(batch: Sequence[Segment], limit: RowLimit, compute: Compute) -> Tensor:
    """Compute a batch, in parts where the memory does not suffice."""
    try:
        with torch.inference_mode():
            logits = compute(batch)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    else:
        return check_numbers(logits)
    limit.lower(sum(len(segment.images) for segment in batch), batch[0].images.device)
    return torch.cat([_attempt(part, limit, compute) for part in _batches(batch, RowLimit(limit.rows))])


def check_numbers(logits: Tensor) -> Tensor:
    """Return the logits; raise Invalid where any is no number."""
    if not bool(logits.isfinite().all()):
        raise Invalid("the network's logits are not all numbers on these images, so no class can be told", "/layer")
    return logits
