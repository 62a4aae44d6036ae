"""What the service answers when it is asked to explain a class, typed."""

from dataclasses import dataclass
from typing import Any, Self

from unitatlas.answers import Answer
from unitatlas.showing import show_explanation
from unitatlas.types import Unit


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
class ClassAttack(Answer):
    """An attack as a class saw it: how many of its `images` it was tried on fooled the network, and how far it went.

    `groups` has {"images", "mean", "low", "high"} of the change of the units important to the `target`, to the
    `source`, and of all `others`, with "absolute_mean", "absolute_low" and "absolute_high" of how far they moved, up or
    down; that and `units` are over all images that the attack fooled.
    """

    job: str
    method: str
    target: str | None
    images: int
    succeeded: int
    success_rate: float
    mean_l2: float | None
    groups: dict[str, dict[str, Any] | None] | None
    most_moved: dict[str, Any] | None
    """Share of important units among the ten moved most, beside that by `chance`."""
    units: list[dict[str, Any]]
    links: dict[str, str]


@dataclass(frozen=True)
class ClassAttacks(Answer):
    """The newest attack towards a class, and those with other targets on images that were taken for it."""

    as_target: ClassAttack | None
    as_source: list[ClassAttack]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the attacks."""
        towards = data["as_target"]
        return cls._read(
            data,
            as_target=towards and ClassAttack.from_json(towards),
            as_source=[ClassAttack.from_json(attack) for attack in data["as_source"]],
        )


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
    attacks: ClassAttacks
    links: dict[str, str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a class with its units, their concepts, what removing them does, and attacks."""
        return cls._read(
            data,
            class_name=data["class"],
            units=[Unit.from_json(unit) for unit in data["units"]],
            concepts=[GatheredConcept.from_json(concept) for concept in data["concepts"]],
            attacks=ClassAttacks.from_json(data["attacks"]),
            removing={size: Removal.from_json(data["removing"][size]) for size in sorted(data["removing"], key=int)},
        )

    _repr_html_ = show_explanation
