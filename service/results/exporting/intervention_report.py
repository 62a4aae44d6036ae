"""An intervention as one page that needs no network: what changed, by set, unit and context, and pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.results.exporting.intervention_queries import shown_pictures
from service.results.exporting.interventions import ExportedJob
from service.results.exporting.page import inline, write_page

MOST_PICTURES = 24
"""Pictures before and after of each layer."""
OTHERS_SHOWN = 5
DRAWING_TYPE, PICTURE_TYPE = "image/svg+xml", "image/png"
DRAWINGS = {
    "curves": "Change of the pixels by the number of units, with 99 % intervals, beside random sets",
    "cells": "Where changing the units at one cell works",
}
"""Of the summary, as the page calls them."""


@dataclass(frozen=True)
class Card:
    """A picture before and after."""

    layer: str
    figures: Mapping[str, Any]
    before: str | None
    after: str | None


def write(found: ExportedJob) -> Iterator[bytes]:
    """The page, piece by piece."""
    return write_page(
        "intervention.html",
        job=found.of.job,
        model=found.of.model,
        dataset=None,
        summary=found.of.summary,
        layers=found.layers,
        drawings=_drawings(found),
        cards=_cards(found),
        others=OTHERS_SHOWN,
    )


def _drawings(found: ExportedJob) -> dict[str, str]:
    """Addresses of the drawings that are there, by their titles."""
    stored = found.of.summary["pictures"]
    drawings = {title: inline(found.of.store, stored.get(name), DRAWING_TYPE) for name, title in DRAWINGS.items()}
    return {title: drawing for title, drawing in drawings.items() if drawing is not None}


def _cards(found: ExportedJob) -> Iterator[Card]:
    for layer, figures in shown_pictures(found.of.sessions, found.interventions, MOST_PICTURES):
        before, after = (inline(found.of.store, figures[name], PICTURE_TYPE) for name in ("before", "after"))
        yield Card(layer, figures, before, after)
