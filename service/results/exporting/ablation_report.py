"""An ablation as one page that needs no network: curves, pictures, and every class with the units that it needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.results.exporting.ablation_queries import ShownClass, shown_classes
from service.results.exporting.ablations import ORDERS, Ablation
from service.results.exporting.page import inline, write_page

UNITS_SHOWN = 10
"""Of each class, the most important."""
PICTURE_TYPE = "image/svg+xml"
PICTURES = {
    "curves": "What removing sets of units does, by their size",
    "distribution": "How the change of balanced accuracy is distributed over classes, by size",
    "importance": "The IoU of units against the number of classes that they matter for",
}
"""Of the summary, as the page calls them."""
ORDER_TITLES = {
    "most": "n most important removed",
    "least": "n least important removed",
    "all_but": "all but the n most important removed",
    "random": "n random removed",
}


@dataclass(frozen=True)
class Line:
    """A row of the table of curves; figures of random sets are {"mean", "low", "high"}."""

    size: int
    title: str
    point: Mapping[str, Any]


@dataclass(frozen=True)
class Card:
    """A class as the page shows it, at its place among the network's outputs."""

    place: int
    shown: ShownClass

    @property
    def worst_change(self) -> float:
        """What the most damaging unit does to the class's balanced accuracy."""
        return float(self.shown.effects[0].figures["accuracy_change"]) if self.shown.effects else 0.0

    @property
    def text(self) -> str:
        """What the class is found by."""
        units = "".join(f" unit {effect.unit}" for effect in self.shown.effects)
        return f"{self.shown.name}{units}".lower()


def write(found: Ablation) -> Iterator[bytes]:
    """The page, piece by piece."""
    classes = shown_classes(found.of.sessions, found.layer, UNITS_SHOWN)
    return write_page(
        "ablation.html",
        job=found.of.job,
        model=found.of.model,
        dataset=found.of.dataset,
        layer=found.layer.name,
        summary=found.of.summary,
        pictures=_pictures(found),
        lines=_lines(found.of.summary["curves"]),
        cards=(Card(place, shown) for place, shown in enumerate(classes)),
    )


def _pictures(found: Ablation) -> dict[str, str]:
    """Addresses of the pictures that are there, by their titles."""
    stored = found.of.summary["pictures"]
    pictures = {title: inline(found.of.store, stored.get(name), PICTURE_TYPE) for name, title in PICTURES.items()}
    return {title: picture for title, picture in pictures.items() if picture is not None}


def _lines(curves: Mapping[str, Any]) -> Sequence[Line]:
    return [
        Line(size, ORDER_TITLES[order], curves[order][place])
        for place, size in enumerate(curves["sizes"])
        for order in ORDERS
    ]
