"""Planted dissections with the summaries that go with them, and every comparison of them by brute force."""

import math
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.catalog.queries import concept_ids
from service.jobs.tables import Job
from service.results.queries import LabelResult, UnitResult
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


def plant_two(session: Session, team_name: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Two dissections of a layer, by two quantiles: unit 0 turns from glass to trees, unit 2 is lost."""
    team = planted.plant_team(session, team_name)
    tree, glass = concept_ids(session, team, [("object", "tree"), ("material", "glass")])
    model = planted.plant_model(session, team, "alpha", ["conv1"])
    made = []
    for quantile, labels in ((0.01, [(glass, 0.25), None, (tree, 0.05)]), (0.02, [(tree, 0.5), None, (tree, 0.04)])):
        job = planted.plant_job(session, team, model)
        job.params = {"cutoff": planted.CUTOFF, "quantile": quantile}
        units = [
            UnitResult(
                index=index,
                threshold=1.0,
                active=1,
                peak=2.0,
                labels=[LabelResult(label[0], 1, label[1], 1, 2)] if label else [],
            )
            for index, label in enumerate(labels)
        ]
        planted.dissect(session, job, ["conv1"], {"conv1": units})
        names = {tree: ("object", "tree"), glass: ("material", "glass")}
        known = [
            Known(0, "alpha", "conv1", index, job.id, True, 1.0, [(names[label[0]], *label)] if label else [])
            for index, label in enumerate(labels)
        ]
        job.summary = summarize({"conv1": known})
        made.append(job.id)
    return made[0], made[1]


def refused(reply: Any, status: int, detail: str, pointer: str | None = None) -> None:
    assert reply.status_code == status, reply.json
    assert reply.mimetype == "application/problem+json"
    assert detail in reply.json["detail"]
    assert pointer is None or pointer in [error["pointer"] for error in reply.json["errors"]]
