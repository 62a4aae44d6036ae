"""Planted dissections with the summaries that go with them, and every comparison of them by brute force."""

import math
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.jobs.tables import Job
from tests.service.results import planted
from tests.service.results.planted import CONCEPTS, Known

Layers = dict[str, list[Known]]


def plant(session: Session, team: uuid.UUID, seed: int) -> dict[uuid.UUID, Layers]:
    """Random dissections with summaries: each job's layers, in the forward pass's order, with their units."""
    known = planted.plant_results(session, team, seed)
    jobs: dict[uuid.UUID, Layers] = {}
    for unit in sorted(known, key=lambda unit: (unit.job, unit.layer, unit.unit)):
        jobs.setdefault(unit.job, {}).setdefault(unit.layer, []).append(unit)
    for id, layers in jobs.items():
        job = session.get_one(Job, id)
        job.summary = summarize(layers)
        job.params = {**job.params, "layers": [*layers]}
    return jobs


def summarize(layers: Layers) -> dict[str, Any]:
    concepts = [{"category": category, "name": name} for category, name in CONCEPTS]
    return {"images": 10, "grid": 4, "concepts": concepts, "layers": [_layer(*layer) for layer in layers.items()]}


def _layer(name: str, units: Sequence[Known]) -> dict[str, Any]:
    detected = Counter(unit.labels[0][0] for unit in units if unit.detector)
    return {
        "layer": name,
        "units": len(units),
        "dead_units": sum(not unit.labels for unit in units),
        "detectors": detected.total(),
        "mean_best_iou": math.fsum(iou(unit) for unit in units) / len(units),
        "distinct": dict(Counter(category for category, _ in detected)),
        "chart": [{"category": c, "concept": name, "units": count} for (c, name), count in detected.items()],
        "iou_artifact": planted.MATRIX,
    }


def iou(unit: Known) -> float:
    return unit.labels[0][2] if unit.labels else 0.0


def label(unit: Known) -> tuple[str, str] | None:
    return unit.labels[0][0] if unit.labels else None


def pairs(a: Layers, b: Layers, layer_a: str | None, layer_b: str | None) -> list[tuple[str, str]]:
    """Every combination of layers that fits what was asked for; none where that is to be refused."""
    every = [(x, y) for x in a for y in b if layer_a in (None, x) and layer_b in (None, y)]
    return every if len(every) == 1 else [(x, y) for x, y in every if x == y]


def concepts(units: Sequence[Known]) -> dict[tuple[str, str], dict[str, Any]]:
    """What a layer has of each concept, of those that it has nothing of, too."""
    return {
        concept: {
            "units": sum(label(unit) == concept for unit in units),
            "detectors": sum(label(unit) == concept and unit.detector for unit in units),
            "best_iou": max((iou for unit in units for name, _, iou in unit.labels if name == concept), default=None),
        }
        for concept in CONCEPTS
    }


def changes(a: Sequence[Known], b: Sequence[Known]) -> list[tuple[str, Known, Known]]:
    """Every unit whose label is another one, in order."""
    found = []
    for before, after in zip(a, b, strict=True):
        if before.detector != after.detector:
            found.append(("gained" if after.detector else "lost", before, after))
        elif label(before) != label(after):
            found.append(("changed", before, after))
    return found


def distance(a: Known, b: Known) -> float:
    return abs(iou(b) - iou(a))
