"""What the service answers when it is asked about attacks and images, typed."""

from dataclasses import dataclass
from typing import Any, Self

from unitatlas.answers import Answer
from unitatlas.types import Unit

ARTIFACTS = ("original", "adversarial", "picture")


@dataclass(frozen=True)
class AttackedImage(Answer):
    """What an attack did to an image.

    `true` is the class that the dataset says, `source` what the network took the image for, `target` what it was to
    take it for (None: anything else), `result` what it takes the attacked image for. Distances are those of pixels from
    0 to 1, None unless the attack succeeded.
    """

    model: str
    job: str
    method: str
    position: int
    image: str
    digest: str
    true: str
    source: str
    target: str | None
    result: str
    outcome: str
    l2: float | None
    linf: float | None
    restored_by: dict[str, int | None] | None
    """By layer the fewest of the units moved most that bring the prediction back when silenced."""
    transfers: dict[str, list[str]] | None
    """What other models take the image for, before and after."""
    links: dict[str, str]

    @property
    def artifacts(self) -> dict[str, str]:
        """The digests of `original` (PNG), `adversarial` (float32 .npy) and `picture` (PNG), where these are kept."""
        return {name: self.links[name].rpartition("/")[2] for name in ARTIFACTS if name in self.links}


@dataclass(frozen=True)
class TopUnit(Unit):
    """A unit that an image is among the top images of: at which rank, and with which peak."""

    rank: int = 0
    peak: float = 0.0


@dataclass(frozen=True)
class Image(Answer):
    """What is known of an image by the sha256 of its file; `predictions` are by model."""

    digest: str
    names: list[str]
    predictions: dict[str, str]
    attacks: list[AttackedImage]
    top_units: list[TopUnit]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read an image with its attacks and units."""
        return cls._read(
            data,
            predictions={found["model"]: found["class"] for found in data["predictions"]},
            attacks=[AttackedImage.from_json(attack) for attack in data["attacks"]],
            top_units=[TopUnit.from_json(unit) for unit in data["top_units"]],
        )
