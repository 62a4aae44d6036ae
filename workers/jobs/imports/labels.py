"""What an imported row says of a unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workers.jobs.imports.csv_rows import Row


class ImportedLabel(NamedTuple):
    """A concept that a unit fits; the counts are the tool's own, 0 where it counts nothing."""

    category: str
    concept: str
    iou: float = 0.0
    intersection: int = 0
    union: int = 0


@dataclass(frozen=True)
class ImportedUnit:
    """A unit, index from 0, with its labels, best first; a layer of None is the one that the request names."""

    row: Row
    layer: str | None
    index: int
    labels: Sequence[ImportedLabel]
    similarity: float | None = None
