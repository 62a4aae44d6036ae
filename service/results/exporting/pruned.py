"""A safetensors file with the weights of some units at 0: streamed, whatever its size, and never loaded."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

PIECE = 1 << 20
"""Bytes that are read and sent together."""
LENGTH = 8
"""Bytes at the start of the file that say how long its header is."""


class Slice(NamedTuple):
    """What a unit owns of a tensor: along `dim` the places from unit * width, `width` of them."""

    name: str
    dim: int
    width: int


class Span(NamedTuple):
    """Bytes of the file."""

    start: int
    stop: int


@dataclass(frozen=True)
class PrunedFile:
    """Stored weights, and which of them shall be 0."""

    path: Path
    slices: Sequence[Slice]
    units: Sequence[int]

    @property
    def size(self) -> int:
        """Bytes of the file, which are as many as those of the stored weights."""
        return self.path.stat().st_size

    def read(self) -> Iterator[bytes]:
        """The file, piece by piece."""
        spans = self.spans()
        span = next(spans, None)
        with self.path.open("rb") as file:
            start = 0
            while piece := bytearray(file.read(PIECE)):
                stop = start + len(piece)
                while span is not None and span.start < stop:
                    first, last = max(span.start, start) - start, min(span.stop, stop) - start
                    piece[first:last] = bytes(last - first)
                    if span.stop > stop:
                        break
                    span = next(spans, None)
                yield bytes(piece)
                start = stop

    def spans(self) -> Iterator[Span]:
        """The bytes that become 0, in ascending order."""
        data, tensors = self._header()
        for slice in sorted(self.slices, key=lambda slice: tensors[slice.name]["data_offsets"]):
            shape, (begin, end) = tensors[slice.name]["shape"], tensors[slice.name]["data_offsets"]
            yield from _spans(data + begin, (end - begin) // math.prod(shape), shape, slice, sorted(self.units))

    def _header(self) -> tuple[int, Mapping[str, Any]]:
        """Where the tensors' bytes begin, and what the file says of each tensor."""
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH), "little")
            tensors: dict[str, Any] = json.loads(file.read(length))
        return LENGTH + length, tensors


def _spans(begin: int, item_bytes: int, shape: Sequence[int], slice: Slice, units: Sequence[int]) -> Iterator[Span]:
    """The bytes of units in a tensor that lies in the file row by row, from `begin`."""
    step = math.prod(shape[slice.dim + 1 :]) * item_bytes  # bytes of one place along the dimension
    for outer, unit in product(range(math.prod(shape[: slice.dim])), units):
        start = begin + (outer * shape[slice.dim] + unit * slice.width) * step
        yield Span(start, start + slice.width * step)
