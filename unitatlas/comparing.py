"""What the service answers to comparisons and assertions, typed."""

from dataclasses import dataclass
from typing import Any, Self

from unitatlas.answers import Answer
from unitatlas.types import Label


@dataclass(frozen=True)
class LayerFigures(Answer):
    """A layer's figures; `distinct` counts concepts with a detector by category."""

    layer: str
    units: int
    dead_units: int
    detectors: int
    mean_best_iou: float
    distinct: dict[str, int]


@dataclass(frozen=True)
class ConceptFigures(Answer):
    """What a layer has of a concept."""

    units: int
    detectors: int
    best_iou: float | None


@dataclass(frozen=True)
class ComparedConcept(Answer):
    """A concept in both layers."""

    category: str
    concept: str
    a: ConceptFigures
    b: ConceptFigures

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a concept with its figures on both sides."""
        return cls._read(data, a=ConceptFigures.from_json(data["a"]), b=ConceptFigures.from_json(data["b"]))


@dataclass(frozen=True)
class Changes(Answer):
    """How many units' labels were gained, lost or changed from a to b, and how far their IoUs are apart."""

    gained: int
    lost: int
    changed: int
    mean_iou_difference: float
    max_iou_difference: float


@dataclass(frozen=True)
class ComparedLayers(Answer):
    """Two layers side by side; `by_unit` is None unless both are the same layer of one architecture."""

    a: LayerFigures
    b: LayerFigures
    concepts_gained: list[dict[str, str]]
    concepts_lost: list[dict[str, str]]
    concepts: list[ComparedConcept]
    by_unit: Changes | None
    links: dict[str, str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read two layers with their figures, concepts and changes."""
        changes = data["by_unit"]
        return cls._read(
            data,
            a=LayerFigures.from_json(data["a"]),
            b=LayerFigures.from_json(data["b"]),
            concepts=[ComparedConcept.from_json(concept) for concept in data["concepts"]],
            by_unit=changes and Changes.from_json(changes),
        )


@dataclass(frozen=True)
class Diff(Answer):
    """Two dissections side by side; `differences` is what they were asked differently."""

    a: str
    b: str
    differences: list[dict[str, Any]]
    layers: list[ComparedLayers]
    only_in_a: list[str]
    only_in_b: list[str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a comparison with its layers."""
        return cls._read(data, layers=[ComparedLayers.from_json(layers) for layers in data["layers"]])


@dataclass(frozen=True)
class UnitChange(Answer):
    """A unit whose label was gained, lost or changed from a to b."""

    layer: str
    unit: int
    change: str
    a: Label | None
    b: Label | None
    iou_difference: float

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a unit with its label on both sides."""
        a, b = data["a"], data["b"]
        return cls._read(data, a=a and Label.from_json(a), b=b and Label.from_json(b))


@dataclass(frozen=True)
class Judged(Answer):
    """An assertion, and whether it holds; `detail` has both figures in words."""

    figure: str
    layer: str
    passed: bool
    actual: float
    expected: float
    detail: str


@dataclass(frozen=True)
class Verdict(Answer):
    """Whether all assertions hold, and each of them."""

    passed: bool
    assertions: list[Judged]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a verdict with its assertions."""
        return cls._read(data, assertions=[Judged.from_json(judged) for judged in data["assertions"]])
