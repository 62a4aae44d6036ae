"""What the service answers when it is asked about interventions, typed."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from unitatlas.answers import Answer
from unitatlas.showing import show_change


def concept(name: str) -> str | dict[str, str]:
    """A concept as a request takes it, by its name or as `category/name`."""
    category, slash, rest = name.partition("/")
    return {"category": category, "name": rest} if slash else name


def in_mask(mask: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Where a mask is, for `where`: a PNG file, or run-lengths {"size": [height, width], "runs": [...]}."""
    given = mask if isinstance(mask, Mapping) else base64.b64encode(Path(mask).read_bytes()).decode()
    return {"mask": given}


@dataclass(frozen=True)
class RandomChange(Answer):
    """What random sets of units did to a concept: the mean, and the range of 90 % of the sets."""

    change: float
    change_low: float
    change_high: float


@dataclass(frozen=True)
class PixelChange(Answer):
    """What changing a set of units did to the pixels of a concept, over all pictures.

    The set is the first `size` units of an order: `given`, `iou`, `effect` or `greedy`. `change` is relative to the
    pixels before, with its 99 % interval; it is None where no untouched picture shows the concept.
    """

    model: str
    layer: str
    job: str
    action: str
    where: str
    target: dict[str, str] | None
    """{"category", "concept"} that the units were changed for."""
    order: str
    size: int
    category: str
    concept: str
    pictures: int
    pixels_before: int
    pixels_after: int
    change: float | None
    change_low: float | None
    change_high: float | None
    random: RandomChange | None
    links: dict[str, str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a change with that by random sets."""
        return cls._read(data, random=data["random"] and RandomChange.from_json(data["random"]))

    _repr_html_ = show_change
