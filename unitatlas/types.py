"""What the service answers, typed. Fields that a newer service adds are ignored."""

from dataclasses import dataclass, field
from typing import Any, Self

from unitatlas.answers import Answer
from unitatlas.showing import show_concept, show_details, show_unit


@dataclass(frozen=True)
class Model(Answer):
    """A registered network."""

    name: str
    kind: str
    source: str
    weights: dict[str, Any]
    input: dict[str, Any]
    digest: str
    layers: int
    classes: int
    created_at: str
    concepts: list[dict[str, str] | None] | None = None
    """Of a segmenter: what its outputs stand for."""


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
    location: dict[str, str]
    digest: str
    images: int
    classes: int
    concepts: dict[str, int]
    grid: int | None
    created_at: str


@dataclass(frozen=True)
class Concept(Answer):
    """A concept with how many units it labels, and how many of these are its detectors."""

    category: str
    name: str
    units: int
    detectors: int

    _repr_html_ = show_concept


@dataclass(frozen=True)
class Class(Answer):
    """One output of a classifier."""

    model: str
    index: int
    name: str
    important_units: int | None = None
    """Units whose removal lowers the class's balanced accuracy beyond chance; None if it was never ablated."""


@dataclass(frozen=True)
class Match(Answer):
    """A concept and how well a unit fits it; the IoU is None by a method that measures similarity."""

    category: str
    concept: str
    iou: float | None


@dataclass(frozen=True)
class Label(Match):
    """A unit's best concept; a detector's IoU is above the cut-off.

    `method` is `dissection`, or the tool whose results were imported.
    """

    detector: bool
    method: str = "dissection"
    similarity: float | None = None


@dataclass(frozen=True)
class RankedLabel(Match):
    """One of the concepts that a unit fits best, with the grid cells that both cover and that either covers."""

    rank: int
    intersection: int | None
    union: int | None


@dataclass(frozen=True)
class Effect(Answer):
    """What removing a unit does to a class: changes are removed minus untouched, `low` and `high` 95 % intervals.

    The units of a class are ranked on other images than those on which the changes are measured.
    """

    class_name: str
    rank: int
    accuracy_change: float
    accuracy_change_low: float | None
    accuracy_change_high: float | None
    uncertain: bool
    recall_change: float
    log_probability_change: float
    p_value_corrected: float
    coactivation: float | None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read an effect with the name of its class."""
        return cls._read(data, class_name=data["class"])


@dataclass(frozen=True)
class Shift(Answer):
    """How the newest attack with a target moved a unit's peak activation, in the mean over the images that it fooled.

    `attack` is the job, the target None for any other class, and `least-likely` for each image's own; `low` and `high`
    are the 99 % interval. Rank 1 is the layer's unit moved most, up or down.
    """

    attack: str
    target: str | None
    mean_peak_change: float
    mean_peak_change_low: float | None
    mean_peak_change_high: float | None
    rank: int


@dataclass(frozen=True)
class Measured(Answer):
    """What removing a unit alone did to the pixels of a concept in a generator's pictures, relative to those untouched.

    `intervention` is the job, `low` and `high` the 99 % interval. Rank 1 takes most away, on other latents.
    """

    intervention: str
    change: float | None
    change_low: float | None
    change_high: float | None
    rank: int | None


@dataclass(frozen=True)
class Unit(Answer):
    """A unit as a search finds it; `match` is the concept that was asked for, `effect` that on the class.

    `shift` is how the newest attack towards the class moved the unit, `measured` what removing it does to the concept.
    """

    model: str
    layer: str
    unit: int
    threshold: float | None
    label: Label | None
    links: dict[str, str]
    match: Match | None = None
    effect: Effect | None = None
    shift: Shift | None = None
    measured: Measured | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a unit with its label, its match and what is known of it beside."""
        label, match, effect, shift = data["label"], data.get("match"), data.get("effect"), data.get("shift")
        measured = data.get("measured")
        return cls._read(
            data,
            label=label and Label.from_json(label),
            match=match and Match.from_json(match),
            effect=effect and Effect.from_json(effect),
            shift=shift and Shift.from_json(shift),
            measured=measured and Measured.from_json(measured),
        )

    def _repr_html_(self) -> str:
        return show_unit(self, self._picture("picture"))


@dataclass(frozen=True)
class Annotation(Answer):
    """What somebody says of a unit; its label, where there is one, is {"category", "concept", "method": "person"}."""

    id: str
    version: int
    model: str
    layer: str
    unit: int
    label: dict[str, str] | None
    note: str
    author: str
    created_at: str
    withdrawn: bool
    history: list[dict[str, Any]] = field(default_factory=list)
    """The older versions, newest first; not there in a list of annotations."""


@dataclass(frozen=True)
class UnitDetails(Answer):
    """All that is known of one unit."""

    model: str
    layer: str
    unit: int
    threshold: float | None
    active: int | None
    peak: float | None
    label: Label | None
    labels: list[RankedLabel]
    top_images: list[dict[str, Any]]
    history: list[dict[str, Any]]
    links: dict[str, str]
    imported: list[dict[str, Any]] = field(default_factory=list)
    """What other tools found of the unit: {"job", "label"} each."""
    importance: int | None = None
    """Classes that have the unit among their four most damaging; as the changes, None if it was never ablated."""
    accuracy_change: float | None = None
    """Of the all-class accuracy, when the unit is removed."""
    accuracy_change_low: float | None = None
    accuracy_change_high: float | None = None
    effects: list[Effect] = field(default_factory=list)
    """On the classes that are kept of the unit, most damaged first."""
    attacks: list[Shift] = field(default_factory=list)
    """By the newest attack with each target that watched the unit, what moved it most first."""
    annotations: list[Annotation] = field(default_factory=list)
    """What people say of the unit."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a unit with all of its labels, effects and shifts."""
        label, labels = data["label"], [RankedLabel.from_json(ranked) for ranked in data["labels"]]
        effects = [Effect.from_json(effect) for effect in data.get("effects", [])]
        attacks = [Shift.from_json(shift) for shift in data.get("attacks", [])]
        annotations = [Annotation.from_json(annotation) for annotation in data.get("annotations", [])]
        return cls._read(
            data,
            label=label and Label.from_json(label),
            labels=labels,
            effects=effects,
            attacks=attacks,
            annotations=annotations,
        )

    def _repr_html_(self) -> str:
        return show_details(self, self._picture("picture"))


@dataclass(frozen=True)
class Estimate(Answer):
    """What a job would cost."""

    shards: int
    forward_passes: int
    scratch_bytes: int
    artifact_bytes: int
    seconds: float | None
    workers: int
