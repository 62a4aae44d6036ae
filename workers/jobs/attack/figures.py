"""The figures of an attack with one target: how often it succeeds, how far it goes, which units it moves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.results.attacks.queries import LabelledUnit
from service.results.attacks.tables import OUTCOMES
from workers.analysis.attacks.robustness import accuracy_curve, summarize
from workers.analysis.attacks.units import concept_changes, group_changes, mean_intervals, top_shares
from workers.jobs.attack.attacking import SUCCEEDED, Outcomes
from workers.jobs.attack.watching import Watched

IMPORTANT = 4
"""Most important units of a class that make up its group (Bau et al., PNAS 2020, Fig. 5)."""
BUDGETS = 20
"""Points of the curve of accuracy against budget."""


@dataclass(frozen=True)
class LayerKnowledge:
    """What other jobs found of a layer: the most important units of each class, the label of each unit."""

    name: str
    ablation: str | None
    dissection: str | None
    important: Mapping[int, Sequence[int]]
    labels: Sequence[LabelledUnit]


class Attacked:
    """What the shards of one target brought."""

    def __init__(self, scratch: Path, files: Sequence[str], layers: int) -> None:
        self.scratch, self.files = scratch, files
        self.outcomes = _join([Outcomes.load(scratch / f"{file}.npz") for file in files], Outcomes)
        self.notes = [json.loads((scratch / f"{file}.json").read_text()) for file in files]
        self.sizes = [len(Outcomes.load(scratch / f"{file}.npz").images) for file in files]
        self.watched = [self._watched(number) for number in range(layers)]

    def _watched(self, layer: int) -> Watched | None:
        """A layer on all fooled images; None where there is none."""
        paths = [
            self.scratch / f"{file}-{layer}.npz"
            for file, note in zip(self.files, self.notes, strict=True)
            if note["fooled"]
        ]
        if not paths:
            return None
        parts = [Watched.load(path) for path in paths]
        names = ("before", "after", "restored", "restored_at_random")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return Watched(sizes=parts[0].sizes, **joined)

    @cached_property
    def fooled(self) -> NDArray[np.int64]:
        """Rows of the images on which the attack succeeded, in the order of `watched`."""
        return np.flatnonzero(self.outcomes.outcomes == SUCCEEDED)

    @property
    def kept(self) -> dict[int, dict[str, str]]:
        """By row the artifacts of the images that are kept."""
        starts = np.cumsum([0, *self.sizes[:-1]]).tolist()
        return {
            start + int(row): artifacts
            for start, note in zip(starts, self.notes, strict=True)
            for row, artifacts in note["kept"].items()
        }

    def transfers(self, model: str) -> list[list[str]]:
        """For each fooled image what another model takes it for, before and after."""
        return [pair for note in self.notes if note["fooled"] for pair in note["transfers"][model]]


def _join(parts: Sequence[Outcomes], kind: type[Outcomes]) -> Outcomes:
    return kind(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in kind.__dataclass_fields__})


def robustness(attacked: Attacked, norm: str, classes: NDArray[np.int64]) -> dict[str, Any]:
    """Success, distances and the curve of accuracy against budget; `classes` are the images' true ones."""
    outcomes, fooled = attacked.outcomes, attacked.fooled
    counts = np.bincount(outcomes.outcomes, minlength=len(OUTCOMES)).tolist()
    tried = counts[SUCCEEDED] + counts[OUTCOMES.index("failed")]
    found = summarize(outcomes.l2[fooled], outcomes.linf[fooled], tried)
    return {
        "images": len(outcomes.images),
        "outcomes": dict(zip(OUTCOMES, counts, strict=True)),
        "success_rate": found.success_rate,
        "l2": {"median": found.l2.median, "mean": found.l2.mean},
        "linf": {"median": found.linf.median, "mean": found.linf.mean},
        "accuracy": _accuracy(outcomes, fooled, norm, classes),
    }


def _accuracy(outcomes: Outcomes, fooled: NDArray[np.int64], norm: str, classes: NDArray[np.int64]) -> dict[str, Any]:
    """Share of the images that are taken for what they are while each may be changed by as much as a budget."""
    reached = np.where(outcomes.sources != classes, 0.0, np.inf)
    reached[fooled] = np.minimum(reached[fooled], (outcomes.l2 if norm == "l2" else outcomes.linf)[fooled])
    distances = reached[np.isfinite(reached)]
    largest = float(distances.max(initial=0.0))
    budgets = np.linspace(0, largest, BUDGETS + 1).tolist() if largest else [0.0]
    return {"norm": norm, "budgets": budgets, "share": accuracy_curve(distances, len(reached), budgets)}


def layer_figures(attacked: Attacked, layer: int, known: LayerKnowledge) -> dict[str, Any]:
    """What the attack did to the units of a layer, over the images on which it succeeded."""
    watched = attacked.watched[layer]
    head = {"layer": known.name, "ablation": known.ablation, "dissection": known.dissection}
    if watched is None:
        return head | {"images": 0, "groups": None, "most_moved": None, "concepts": [], "silencing": None}
    changes = watched.after.astype(np.float64) - watched.before
    target, source = _members(attacked, known, changes.shape[1])
    both = target.any(axis=1) & source.any(axis=1)
    grouped = changes[both], target[both], source[both]
    return head | {
        "images": len(changes),
        "groups": groups(*grouped) if both.any() else None,
        "most_moved": most_moved(*grouped) if both.any() else None,
        "concepts": _concepts(changes, known.labels),
        "silencing": _silencing(watched),
    }


def _members(attacked: Attacked, known: LayerKnowledge, units: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each fooled image the most important units of the class that it became, and of the class that it was."""
    rows = attacked.fooled
    sides = []
    for classes in (attacked.outcomes.results[rows], attacked.outcomes.sources[rows]):
        members = np.zeros((len(rows), units), np.bool_)
        for row, position in enumerate(classes.tolist()):
            members[row, list(known.important.get(position, []))[:IMPORTANT]] = True
        sides.append(members)
    return sides[0], sides[1]


def groups(changes: NDArray[np.float64], target: NDArray[np.bool_], source: NDArray[np.bool_]) -> dict[str, Any]:
    """Mean change of the units of each group, and mean of how far each moved, up or down; with 99 % intervals.

    Changes of peaks, and which units are important to what each image became and to what it was, are (n, U). In a
    small layer an image may have no other units and is not in their group, which is None where no image has one.
    Source: Bau et al., PNAS 2020, Fig. 5, which graphs how far units moved.
    """
    members = {"target": target, "source": source, "others": ~(target | source)}
    return {name: _group(changes, group) for name, group in members.items()}


def _group(changes: NDArray[np.float64], group: NDArray[np.bool_]) -> dict[str, Any] | None:
    filled = group.any(axis=1)
    if not filled.any():
        return None
    moved, sizes = (group_changes(values[filled], group[filled])[:, None] for values in (changes, np.abs(changes)))
    absolute = _means(sizes)[0]
    return _means(moved)[0] | {f"absolute_{name}": absolute[name] for name in ("mean", "low", "high")}


def most_moved(changes: NDArray[np.float64], target: NDArray[np.bool_], source: NDArray[np.bool_]) -> dict[str, Any]:
    """Share of the important among the ten units moved most, with its 99 % interval, and among ten random ones."""
    shares, chances = top_shares(changes, target | source)
    return _means(shares[:, None])[0] | {"chance": float(chances.mean())}


def _means(values: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Means over images (n, K) with their 99 % intervals, which are None of a single image."""
    images = len(values)
    ends = [end.tolist() for end in mean_intervals(values)] if images > 1 else [[None] * values.shape[1]] * 2
    return [
        {"images": images, "mean": mean, "low": low, "high": high}
        for mean, low, high in zip(values.mean(axis=0).tolist(), *ends, strict=True)
    ]


def _concepts(changes: NDArray[np.float64], labels: Sequence[LabelledUnit]) -> list[dict[str, Any]]:
    """Mean change of the units of each concept, weighted by IoU: what was painted in first, what was wiped out last."""
    units: dict[tuple[str, str], list[int]] = {}
    for unit, label in enumerate(labels):
        if label.category is not None and label.concept is not None:
            units.setdefault((label.category, label.concept), []).append(unit)
    if not units:
        return []
    weights = np.zeros((len(units), changes.shape[1]))
    for row, mine in enumerate(units.values()):
        weights[row, mine] = [labels[unit].iou for unit in mine]
    rows = [
        {"category": category, "concept": concept, "units": len(mine), **mean}
        for ((category, concept), mine), mean in zip(
            units.items(), _means(concept_changes(changes, weights)), strict=True
        )
    ]
    return sorted(rows, key=lambda row: -row["mean"])


def _silencing(watched: Watched) -> dict[str, Any] | None:
    """Share of the images whose prediction comes back, by the number of silenced units; None of a single unit."""
    if not len(watched.sizes):
        return None
    return {
        "sizes": watched.sizes.tolist(),
        "most_moved": watched.restored.mean(axis=0).tolist(),
        "random": watched.restored_at_random.mean(axis=0).tolist(),
    }


def transfer_figures(model: str, pairs: Sequence[Sequence[str]], wanted: Sequence[str | None]) -> dict[str, Any]:
    """How often another model is fooled by the images that fooled this one, and how often into the target."""
    fooled = [before != after for before, after in pairs]
    into = [after == target for (_, after), target in zip(pairs, wanted, strict=True)]
    return {
        "model": model,
        "images": len(pairs),
        "fooled": float(np.mean(fooled)) if pairs else None,
        "to_target": float(np.mean(into)) if pairs and any(target is not None for target in wanted) else None,
    }
