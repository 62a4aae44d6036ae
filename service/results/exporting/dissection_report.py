"""A dissection as one page that needs no network: charts, controls, and every unit with its picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.results.exporting.chart import Chart, draw
from service.results.exporting.dissections import Dissection
from service.results.exporting.page import inline, write_page
from service.results.exporting.queries import ExportedLayer, ShownUnit, best_first
from service.results.queries import LabelRow

OTHER_LABELS = 4
PICTURE_TYPE = "image/jpeg"
SCORES = {
    "average_precision": "average precision",
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "equal_error_threshold": "equal-error threshold",
    "p_value": "p",
    "p_value_corrected": "p, corrected",
}
"""Of a label, as the page calls them."""


@dataclass(frozen=True)
class Card:
    """A unit as the page shows it."""

    found: ShownUnit
    picture: str | None

    @property
    def label(self) -> LabelRow | None:
        """The unit's label; a unit without one has no concepts at all."""
        return self.found.labels[0] if self.found.labels else None

    @property
    def others(self) -> Sequence[LabelRow]:
        """What the unit fits next best."""
        return self.found.labels[1 : 1 + OTHER_LABELS]

    @property
    def scores(self) -> dict[str, float]:
        """The scores that the label has."""
        scores = {title: getattr(self.label, name, None) for name, title in SCORES.items()}
        return {title: score for title, score in scores.items() if score is not None}


@dataclass(frozen=True)
class Section:
    """A layer as the page shows it: distinct concepts by category, figures of the layer and of its controls."""

    name: str
    distinct: Mapping[str, int]
    chart: Chart
    figures: Mapping[str, Mapping[str, Any]]
    cards: Iterator[Card]

    @property
    def columns(self) -> list[str]:
        """The names of all figures, in the order in which they come."""
        return list(dict.fromkeys(name for figures in self.figures.values() for name in figures))


def write(found: Dissection) -> Iterator[bytes]:
    """The page, piece by piece."""
    of = {layer["layer"]: layer for layer in found.of.summary["layers"]}
    return write_page(
        "dissection.html",
        job=found.of.job,
        model=found.of.model,
        dataset=found.of.dataset,
        summary=found.of.summary,
        sections=(_section(found, layer, of[layer.name]) for layer in found.layers),
    )


def _section(found: Dissection, layer: ExportedLayer, summary: Mapping[str, Any]) -> Section:
    figures = {"this layer": _figures(summary)}
    figures |= {name: _figures(control) for name, control in (summary.get("controls") or {}).items()}
    shown = best_first(found.of.sessions, layer)
    cards = (Card(unit, inline(found.of.store, unit.unit.picture, PICTURE_TYPE)) for unit in shown)
    return Section(layer.name, summary["distinct"], draw(summary["chart"]), figures, cards)


def _figures(given: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers among the figures, and the counts of concepts by category, by the names that the page gives them."""
    counts = ", ".join(f"{category} {count}" for category, count in given.get("distinct", {}).items())
    numbers = {_title(name): value for name, value in given.items() if isinstance(value, int | float)}
    return numbers | ({"distinct concepts": counts or "none"} if "distinct" in given else {})


def _title(name: str) -> str:
    return name.replace("_", " ").replace("iou", "IoU")
