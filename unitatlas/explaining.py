"""What the service answers when it is asked to explain a class, typed."""

from dataclasses import dataclass
from typing import Any, Self

from unitatlas.types import Answer, Unit


@dataclass(frozen=True)
class Removed(Answer):
    """A class without a set of units, on the evaluation images; changes are removed minus untouched.

    The balanced accuracy is from the argmax, `change` is its change; `rechosen` are with the threshold chosen anew.
    """

    balanced_accuracy: float
    change: float
    change_low: float | None
    change_high: float | None
    all_class_accuracy: float
    auroc: float
    rechosen_balanced_accuracy: float
    rechosen_change: float


@dataclass(frozen=True)
class Removal(Answer):
    """What removing sets of `size` units does to a class; `random` has {"mean", "low", "high"} of each figure.

    `nature` is that of the drop without the most important units: a shift of the class's score, a loss of what tells
    its images apart, both, or none; `verdict` says it in words.
    """

    size: int
    most: Removed
    least: Removed
    all_but: Removed
    random: dict[str, dict[str, float]]
    nature: str
    verdict: str

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the figures of each order."""
        return cls._read(data, **{order: Removed.from_json(data[order]) for order in ("most", "least", "all_but")})


@dataclass(frozen=True)
class GatheredConcept(Answer):
    """A concept that labels some of a class's units, and what removing each of them does to the class, summed."""

    category: str
    concept: str
    units: int
    detectors: int
    accuracy_change: float


@dataclass(frozen=True)
class Explanation(Answer):
    """What a class is told apart by in one layer; `removing` is by the number of units that one would remove."""

    model: str
    layer: str
    class_name: str
    images: int
    untouched: dict[str, float | None]
    important_units: int
    units: list[Unit]
    concepts: list[GatheredConcept]
    removing: dict[str, Removal]
    nature: str | None
    verdict: str
    links: dict[str, str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a class with its units, their concepts and what removing them does."""
        return cls._read(
            data,
            class_name=data["class"],
            units=[Unit.from_json(unit) for unit in data["units"]],
            concepts=[GatheredConcept.from_json(concept) for concept in data["concepts"]],
            removing={size: Removal.from_json(data["removing"][size]) for size in sorted(data["removing"], key=int)},
        )
