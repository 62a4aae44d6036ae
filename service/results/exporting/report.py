"""A dissection as one page that needs no network: charts, controls, and every unit with its picture."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from flask import current_app
from markupsafe import Markup

from service.artifacts.store import ArtifactStore
from service.results.exporting.chart import Chart, draw
from service.results.exporting.queries import ShownUnit, best_first
from service.results.exporting.rows import Source
from service.results.queries import LabelRow

MEDIA_TYPE = "text/html"
OTHER_LABELS = 4
PIECES = 32
"""Parts of the template that are sent together."""
SCRIPT = (files("service") / "templates" / "report.js").read_text()
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


def write(source: Source, dataset: str | None) -> Iterator[bytes]:
    """The page, piece by piece."""
    template = current_app.jinja_env.get_template("report.html")
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    summary = source.job.summary or {}
    of = {layer["layer"]: layer for layer in summary["layers"]}
    stream = template.stream(
        job=source.job,
        model=source.model,
        dataset=dataset,
        summary=summary,
        sections=(_section(source, place, of[layer.name]) for place, layer in enumerate(source.layers)),
        script=Markup(SCRIPT),  # noqa: S704 (a file of ours)
        script_digest=digest,
    )
    stream.enable_buffering(PIECES)
    return (piece.encode() for piece in stream)


def _section(source: Source, place: int, summary: Mapping[str, Any]) -> Section:
    layer = source.layers[place]
    figures = {"this layer": _figures(summary)}
    figures |= {name: _figures(control) for name, control in (summary.get("controls") or {}).items()}
    cards = (Card(found, _picture(source.store, found.unit.picture)) for found in best_first(source.sessions, layer))
    return Section(layer.name, summary["distinct"], draw(summary["chart"]), figures, cards)


def _figures(given: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers among the figures, and the counts of concepts by category, by the names that the page gives them."""
    counts = ", ".join(f"{category} {count}" for category, count in given.get("distinct", {}).items())
    numbers = {_title(name): value for name, value in given.items() if isinstance(value, int | float)}
    return numbers | ({"distinct concepts": counts or "none"} if "distinct" in given else {})


def _title(name: str) -> str:
    return name.replace("_", " ").replace("iou", "IoU")


def _picture(store: ArtifactStore, digest: str | None) -> str | None:
    if digest is None or not store.exists(digest):
        return None
    data = base64.b64encode(store.path(digest).read_bytes()).decode()
    return f"data:image/jpeg;base64,{data}"
