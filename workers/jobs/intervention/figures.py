"""The figures of an intervention on one layer, from the counts of every picture."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.analysis.ablation.importance import correlate
from workers.analysis.interventions.contexts import ENOUGH, by_cell, by_context
from workers.analysis.interventions.effects import Band, Changes, random_band, relative_changes
from workers.analysis.interventions.orders import places, removes_enough, shared
from workers.analysis.interventions.realism import LEAST, realism
from workers.jobs.intervention.measuring import Measured
from workers.jobs.intervention.plan import Edit, own_edits

Concept = tuple[str, str]
SHOWN = 20
"""Concepts beside the target that the summary tells of each set: those of which most pixels changed."""


class LayerFigures:
    """What was measured of a layer.

    Parameters
    ----------
    params
        Of the job.
    layer
        What the plan says of the layer: its name, orders, search.
    concepts
        (category, name) of those that the pictures were searched for.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        layer: Mapping[str, Any],
        concepts: Sequence[Concept],
        target: int | None,
        measured: Measured,
    ) -> None:
        self.params, self.layer, self.concepts, self.target, self.measured = params, layer, concepts, target, measured
        self.name: str = layer["layer"]
        self.sizes: list[int] = params["sizes"][self.name]
        self.sets: list[Edit] = own_edits(layer["orders"], self.sizes)
        self.each_cell = measured.at_cells.shape[2] > 0
        self.cells = measured.at_cells.shape[2] * measured.at_cells.shape[3] or 1

    @property
    def before(self) -> NDArray[np.int64]:
        """Pixels (n, C) of the untouched pictures, as often as the units were changed in them."""
        return self.measured.before * self.cells

    def figures(self) -> dict[str, Any]:
        """All of a layer that is told in the summary."""
        return {
            "layer": self.name,
            "cut": self.layer["cut"],
            "reason": self.layer["reason"],
            "dissection": self.params["dissections"][self.name],
            "units": self.params["units"][self.name],
            "pictures": len(self.measured.before),
            "sets": [self._set(place) for place in range(len(self.sets))],
            "measured": self.units(),
            "agreement": self._agreement(),
            "search": self._search(),
            "cells": [self._cells(place) for place in range(len(self.sets))] if self.each_cell else [],
        }

    def _set(self, place: int) -> dict[str, Any]:
        edit, rows = self.sets[place], self.changes[place]
        mine = [row for row in rows if row["position"] == self.target]
        others = [row for row in rows if row["position"] != self.target]
        return {
            "order": edit.order,
            "size": edit.size,
            "units": list(edit.units),
            "target": _told(mine[0]) if mine else None,
            "others": [_told(row) for row in others[:SHOWN]],
            "replaced_by": self._replaced_by(place),
            "realism": self._realism(place),
        }

    @cached_property
    def changes(self) -> list[list[dict[str, Any]]]:
        """By set what it did to each concept: the rows of `_changes`."""
        return [self._changes(place) for place in range(len(self.sets))]

    def _changes(self, place: int) -> list[dict[str, Any]]:
        """What a set did to each concept that any picture shows: the target first, then by how many pixels changed."""
        after = self.measured.after[place]
        before, whole = self.before.sum(axis=0), after.sum(axis=0)
        shown = np.flatnonzero((before > 0) | (whole > 0) | (np.arange(len(self.concepts)) == self.target))
        order = sorted(shown.tolist(), key=lambda c: (c != self.target, -abs(int(whole[c] - before[c])), c))
        found, band = relative_changes(self.before[:, order], after[:, order]), self._band(self.sets[place].size, order)
        pictures = (self.measured.before[:, order] > 0).sum(axis=0)
        return [
            {
                "position": concept,
                "category": self.concepts[concept][0],
                "concept": self.concepts[concept][1],
                "pictures": int(pictures[row]),
                "pixels_before": int(before[concept]),
                "pixels_after": int(whole[concept]),
                **_change(found, row),
                "random": _banded(band, row) if band is not None and found.known[row] else None,
            }
            for row, concept in enumerate(order)
        ]

    def _band(self, size: int, order: Sequence[int]) -> Band | None:
        """What random sets of a size did; None where none were drawn, or of no size that was asked for."""
        draws = self.params["random"]
        if not draws or size not in self.sizes:
            return None
        first = self.sizes.index(size) * draws
        return random_band(self.before.sum(axis=0)[order], self.measured.random[first : first + draws][:, order])

    def _replaced_by(self, place: int) -> list[dict[str, Any]]:
        """What the pixels show that lost the target, most first."""
        counts = self.measured.replaced[place]
        order = np.argsort(-counts, kind="stable")[:SHOWN].tolist()
        return [
            {
                "category": self.concepts[concept][0],
                "concept": self.concepts[concept][1],
                "pixels": int(counts[concept]),
            }
            for concept in order
            if counts[concept]
        ]

    def _realism(self, place: int) -> dict[str, Any] | None:
        features = self.measured.features
        if not features.shape[2] or features.shape[1] < LEAST:
            return None
        found = realism(features[0], features[1 + place])
        return {**vars(found), "features": features.shape[2], "pictures": features.shape[1]}

    @cached_property
    def _alone(self) -> Changes | None:
        """What each unit alone did to the target."""
        if self.target is None or not len(self.measured.alone):
            return None
        alone = self.measured.alone.T  # (n, K)
        return relative_changes(np.repeat(self.measured.before[:, [self.target]], alone.shape[1], axis=1), alone)

    def units(self) -> list[dict[str, Any]]:
        """Each unit alone: what it did to the target, and its places."""
        found, searched = self._alone, self.layer["search"]
        if found is None:
            return []
        units = self.params["units"][self.name]
        ranks = places(searched["order"], units) if searched else [None] * len(units)
        ranking = searched["changes"] if searched else [None] * len(units)
        return [
            {"unit": unit, "place": row + 1, **_change(found, row), "rank": ranks[row], "ranking_change": ranking[row]}
            for row, unit in enumerate(units)
        ]

    def _agreement(self) -> dict[str, Any] | None:
        """How the order that was given, or by IoU, agrees with that by effect."""
        searched = self.layer["search"]
        if not searched:
            return None
        units = self.params["units"][self.name]
        ranks = np.array(places(searched["order"], units))
        together = correlate(np.arange(1, len(units) + 1), ranks.astype(np.float64))
        return {
            "candidates": len(units),
            "spearman": together.spearman,
            "p_value": together.spearman_p,
            "shared": [
                {"size": size, "units": shared(units, searched["order"], size), "chance": size**2 / len(units)}
                for size in self.sizes
            ],
        }

    def _search(self) -> dict[str, Any] | None:
        """The smallest set that was found, and what it took away on the ranking latents."""
        searched = self.layer["search"]
        if not searched:
            return None
        share = self.params["ranking"]["share"]
        reached = bool(searched["chosen"]) and removes_enough(searched["untouched"], searched["left"], share)
        return {"share": share, "reached": reached, "units": searched["chosen"], "removed": searched["removed"]}

    def _cells(self, place: int) -> dict[str, Any]:
        """Where changing a set at one cell worked."""
        changes, whole = self.measured.at_cells[place], self._mean_target()
        mean, error = by_cell(changes)
        return {
            "order": self.sets[place].order,
            "size": self.sets[place].size,
            "target_pixels": whole,
            "pixels": mean.tolist(),
            "standard_errors": error.tolist() if len(changes) > 1 else None,
            "contexts": list(self.contexts(place)),
        }

    def _mean_target(self) -> float:
        return float(self.measured.before[:, self.target].mean())

    def contexts(self, place: int) -> Iterator[dict[str, Any]]:
        """The effect by what the cell's centre shows untouched, of most effect first."""
        whole = self._mean_target()
        found = by_context(self.measured.at_cells[place], self.measured.centres, len(self.concepts))
        for concept in sorted(np.flatnonzero(found.samples).tolist(), key=lambda c: (-found.mean[c], c)):
            yield {
                "position": concept,
                "category": self.concepts[concept][0],
                "concept": self.concepts[concept][1],
                "samples": int(found.samples[concept]),
                "pictures": int(found.pictures[concept]),
                "sufficient": bool(found.samples[concept] >= ENOUGH),
                "pixels": float(found.mean[concept]),
                "change": float(found.mean[concept] / whole) if whole else None,
                "standard_error": float(found.standard_error[concept]) if found.bounded[concept] else None,
            }


def _change(found: Changes, row: int) -> dict[str, float | None]:
    known, bounded = found.known[row], found.bounded[row]
    return {
        "change": float(found.change[row]) if known else None,
        "change_low": float(found.low[row]) if bounded else None,
        "change_high": float(found.high[row]) if bounded else None,
    }


def _banded(band: Band, row: int) -> dict[str, float]:
    return {"change": float(band.mean[row]), "change_low": float(band.low[row]), "change_high": float(band.high[row])}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the summary has it, without what only the database needs."""
    return {name: value for name, value in row.items() if name != "position"}
