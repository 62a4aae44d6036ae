"""What the service answers, typed. Fields that a newer service adds are ignored."""

from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """Base of all answers; `raw` is the JSON as it came."""

    raw: dict[str, Any] = field(repr=False, compare=False, kw_only=True)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the fields that this client knows."""
        known = {f.name for f in fields(cls)} - {"raw"}
        return cls(**{name: value for name, value in data.items() if name in known}, raw=data)


@dataclass(frozen=True)
class Model(Answer):
    """A registered network."""

    name: str
    kind: str
    source: str
    digest: str
    created_at: str
    weights: dict[str, Any]
    input: dict[str, Any]


@dataclass(frozen=True)
class Layer(Answer):
    """A layer with the number of its units and the size of their maps."""

    name: str
    units: int
    height: int
    width: int


@dataclass(frozen=True)
class Dataset(Answer):
    """Registered images."""

    name: str
    format: str
    images: int
    created_at: str
    grid: int | None = None


@dataclass(frozen=True)
class Concept(Answer):
    """A concept with how many units were found for it."""

    category: str
    name: str
    units: int = 0
    detectors: int = 0


@dataclass(frozen=True)
class Class(Answer):
    """One output of a classifier."""

    model: str
    index: int
    name: str


@dataclass(frozen=True)
class Label(Answer):
    """A concept and how well a unit fits it."""

    category: str
    concept: str
    iou: float
    detector: bool = False


@dataclass(frozen=True)
class Unit(Answer):
    """A unit as a search finds it."""

    model: str
    layer: str
    unit: int
    threshold: float
    links: dict[str, Any]
    label: Label | None = None
    match: Label | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a unit with its label and its match."""
        return super().from_json(
            data | {name: Label.from_json(data[name]) for name in ("label", "match") if data.get(name)}
        )


@dataclass(frozen=True)
class UnitDetails(Answer):
    """All that is known of one unit."""

    model: str
    layer: str
    unit: int
    threshold: float
    labels: list[Label]
    top_images: list[dict[str, Any]]
    history: list[dict[str, Any]]
    links: dict[str, Any]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a unit with all of its labels."""
        return super().from_json(data | {"labels": [Label.from_json(label) for label in data["labels"]]})


@dataclass(frozen=True)
class Estimate(Answer):
    """What a job would cost."""

    shards: int
    forward_passes: int
    scratch_bytes: int
    artifact_bytes: int
    seconds: float | None
    workers: int
