"""Small catalogs with random results, and what is known of them without asking the database."""

import random
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.queries import find_team, make_team
from service.artifacts.queries import record_artifacts
from service.catalog.queries import concept_ids, write_model
from service.catalog.tables import Layer, Model
from service.database import new_id, now
from service.jobs.tables import Job
from service.results.queries import LabelResult, LayerResult, UnitResult, write_dissection
from service.results.tables import LayerDissection, Unit

CONCEPTS = [("object", "tree"), ("part", "tree"), ("object", "glass"), ("material", "glass"), ("object", "sky")]
MATRIX, PICTURE = "a" * 64, "b" * 64
CUTOFF = 0.04
IOUS = (0.01, 0.04, 0.05, 0.05, 0.25, 0.5)  # few, so that many are tied


class Shape(NamedTuple):
    name: str
    units: int = 6
    height: int = 4
    width: int = 4


class Known(NamedTuple):
    """A unit as it was written."""

    id: int
    model: str
    layer: str
    unit: int
    job: uuid.UUID
    current: bool
    threshold: float
    labels: list[tuple[tuple[str, str], int, float]]  # (category, name), concept id, iou; best first

    @property
    def detector(self) -> bool:
        return bool(self.labels) and self.labels[0][2] > CUTOFF


def plant_team(session: Session, name: str) -> uuid.UUID:
    """A team, made where it is not there."""
    team = find_team(session, name) or make_team(session, name)
    session.flush()
    record_artifacts(session, team.id, [(MATRIX, 4, "application/octet-stream"), (PICTURE, 9, "image/png")])
    return team.id


def plant_model(session: Session, team: uuid.UUID, name: str, layers: Sequence[str] = ("conv1", "conv2")) -> Model:
    """A model with these layers."""
    return write_model(
        session,
        team,
        name=name,
        kind="classifier",
        source="torchvision:vgg16",
        weights={"seed": 1},
        input={},
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=[Shape(layer) for layer in layers],
        classes=["beach", "forest"],
    )


def plant_segmenter(session: Session, team: uuid.UUID, name: str, concepts: Sequence[tuple[str, str]]) -> Model:
    """A segmenter with one layer that tells these concepts apart."""
    return write_model(
        session,
        team,
        name=name,
        kind="segmenter",
        source="exported",
        weights={"seed": 1},
        input={},
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=[Shape("layer")],
        classes=[],
        concepts=[[*concept] for concept in concepts],
    )


def plant_job(session: Session, team: uuid.UUID, model: Model, kind: str = "dissection") -> Job:
    """A job that has succeeded."""
    job = Job(
        id=new_id(),
        team_id=team,
        kind=kind,
        state="succeeded",
        model_id=model.id,
        params={"cutoff": CUTOFF},
        labels={},
        fingerprint=uuid.uuid4().hex,
        shared=True,
        created_at=now(session),
    )
    session.add(job)
    session.flush()
    return job


def random_unit(random: random.Random, index: int, concepts: Sequence[int]) -> UnitResult:
    """A unit with labels of up to all concepts, sometimes none."""
    chosen = random.sample(concepts, random.randint(0, len(concepts)))
    ious = sorted((random.choice(IOUS) for _ in chosen), reverse=True)
    labels = [
        LabelResult(concept, rank, iou, round(100 * iou), 100)
        for rank, (concept, iou) in enumerate(zip(chosen, ious, strict=True), 1)
    ]
    return UnitResult(
        index=index,
        threshold=random.choice([0.5, 1.0, 2.0]),
        active=10,
        peak=5.0,
        labels=labels,
        top_images=[{"image": "a.png", "digest": "c" * 64, "peak": 5.0}],
        picture=random.choice([None, PICTURE]),
    )


def dissect(session: Session, job: Job, layers: Sequence[str], units: dict[str, list[UnitResult]]) -> None:
    """Write a dissection of these layers."""
    ids = dict(session.execute(sa.select(Layer.name, Layer.id).where(Layer.model_id == job.model_id)).tuples().all())
    results = [
        LayerResult(layer_id=ids[name], grid=4, samples=160, iou_artifact=MATRIX, units=units[name]) for name in layers
    ]
    write_dissection(session, job, results)


def plant_results(session: Session, team: uuid.UUID, seed: int) -> list[Known]:
    """Three models, each dissected one to three times, some layers left out; returns all units."""
    chance = random.Random(seed)
    concepts = dict(zip(concept_ids(session, team, CONCEPTS), CONCEPTS, strict=True))
    known: list[Known] = []
    for name in ("alpha", "beta", "gamma"):
        model = plant_model(session, team, name)
        for _ in range(chance.randint(1, 3)):
            job = plant_job(session, team, model)
            layers = chance.sample(["conv1", "conv2"], chance.randint(1, 2))
            units = {
                layer: [random_unit(chance, i, list(concepts)) for i in range(Shape("").units)] for layer in layers
            }
            dissect(session, job, layers, units)
            known = [
                unit._replace(current=unit.current and (unit.model, unit.layer) not in [(name, n) for n in layers])
                for unit in known
            ]
            known += [_known(session, name, layer, job, unit, concepts) for layer in layers for unit in units[layer]]
    return known


def _known(
    session: Session, model: str, layer: str, job: Job, unit: UnitResult, concepts: dict[int, tuple[str, str]]
) -> Known:
    at = (LayerDissection.job_id == job.id, Layer.name == layer, Unit.index == unit.index)
    id = session.scalars(sa.select(Unit.id).join(LayerDissection).join(Layer).where(*at)).one()
    labels = [(concepts[label.concept_id], label.concept_id, label.iou) for label in unit.labels]
    return Known(id, model, layer, unit.index, job.id, True, unit.threshold, labels)


def search(known: Sequence[Known], wanted: dict[str, Any]) -> list[tuple[Known, tuple[str, str] | None, float]]:
    """What a search must find, in order: every unit against every filter."""
    found = []
    for unit in known:
        if unit.job != wanted["job"] if wanted["job"] else not unit.current:
            continue
        if any(wanted[name] not in (None, getattr(unit, name)) for name in ("model", "layer")):
            continue
        found += [(unit, concept, number, iou) for concept, number, iou in _matches(unit, wanted)]
    keys = {
        "iou": lambda row: row[3],
        "unit": lambda row: row[0].unit,
        "threshold": lambda row: row[0].threshold,
        "similarity": lambda row: 0.0,
    }
    key = keys[wanted["sort"].removeprefix("-")]
    found.sort(key=lambda row: (key(row), row[0].id, row[2]), reverse=wanted["sort"].startswith("-"))
    return [(unit, concept if wanted["concept"] else None, iou) for unit, concept, _, iou in found]


def _matches(unit: Known, wanted: dict[str, Any]) -> list[tuple[tuple[str, str] | None, int, float]]:
    def fits(concept: tuple[str, str]) -> bool:
        return wanted["category"] in (None, concept[0]) and wanted["concept"] in (None, concept[1])

    if wanted["detectors"] and not unit.detector:
        return []
    labels = unit.labels if wanted["concept"] and not wanted["detectors"] else unit.labels[:1]
    if not labels and not wanted["concept"] and not wanted["category"]:
        labels = [(None, 0, 0.0)]  # a unit without a label is found by what it is
        return [] if (wanted["min_iou"] or 0) > 0 else labels
    return [label for label in labels if fits(label[0]) and label[2] >= (wanted["min_iou"] or 0)]
