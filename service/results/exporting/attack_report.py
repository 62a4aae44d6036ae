"""An attack as one page that needs no network: success, pictures, what moved, and some of the attacked images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from service.results.exporting.attack_queries import KeptImage, kept_images
from service.results.exporting.attacks import ExportedJob
from service.results.exporting.page import inline, write_page

MOST_IMAGES = 60
"""Attacked images with their pictures, the first ones of each target."""
CONCEPTS_SHOWN = 4
"""Of each target and layer, those painted in most and those wiped out most."""
DRAWING_TYPE, PICTURE_TYPE = "image/svg+xml", "image/png"
DRAWINGS = {
    "accuracy": "Accuracy against how much each image may be changed",
    "groups": "Mean change of peak activation: units important to the target, to the source, all others",
    "silencing": "Predictions that come back when the units moved most are silenced, against random units",
}
"""Of the summary, as the page calls them."""


@dataclass(frozen=True)
class Watched:
    """What an attack with a target did to a layer: a line of the page's table."""

    target: str | None
    figures: Mapping[str, Any]

    @property
    def painted(self) -> Sequence[Mapping[str, Any]]:
        """The concepts whose units rose most."""
        return [concept for concept in self.figures["concepts"][:CONCEPTS_SHOWN] if concept["mean"] > 0]

    @property
    def wiped(self) -> Sequence[Mapping[str, Any]]:
        """The concepts whose units fell most, furthest first."""
        return [concept for concept in self.figures["concepts"][: -CONCEPTS_SHOWN - 1 : -1] if concept["mean"] < 0]


@dataclass(frozen=True)
class Card:
    """An attacked image as the page shows it, at its place among those that are shown."""

    place: int
    target: str | None
    figures: Mapping[str, Any]
    picture: str | None

    @property
    def text(self) -> str:
        """What the image is found by."""
        return " ".join(self.figures[name] for name in ("image", "true", "source", "result")).lower()


def write(found: ExportedJob) -> Iterator[bytes]:
    """The page, piece by piece."""
    return write_page(
        "attack.html",
        job=found.of.job,
        model=found.of.model,
        dataset=found.of.dataset,
        summary=found.of.summary,
        drawings=_drawings(found),
        watched=_watched(found),
        cards=_cards(found),
        most=MOST_IMAGES,
    )


def _drawings(found: ExportedJob) -> dict[str, str]:
    """Addresses of the drawings that are there, by their titles."""
    stored = found.of.summary["pictures"]
    drawings = {title: inline(found.of.store, stored.get(name), DRAWING_TYPE) for name, title in DRAWINGS.items()}
    return {title: drawing for title, drawing in drawings.items() if drawing is not None}


def _watched(found: ExportedJob) -> list[Watched]:
    """What each target did to each layer, where it fooled the network at all."""
    layers = ((figures["target"], layer) for figures in found.targets for layer in figures["layers"])
    return [Watched(target, layer) for target, layer in layers if layer["layer"] in found.layers and layer["images"]]


def _cards(found: ExportedJob) -> Iterator[Card]:
    most = max(1, MOST_IMAGES // max(1, len(found.attacks)))
    kept = kept_images(found.of.sessions, found.attacks, found.names, most)
    return (_card(found, place, image) for place, image in enumerate(islice(kept, MOST_IMAGES)))


def _card(found: ExportedJob, place: int, image: KeptImage) -> Card:
    picture = inline(found.of.store, image.figures["picture"], PICTURE_TYPE)
    return Card(place, image.attack.target, image.figures, picture)
