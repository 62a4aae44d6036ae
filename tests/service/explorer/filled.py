"""A small database of every kind of result, under names that no page may take for markup."""

import uuid
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import class_ids, concept_ids, write_dataset, write_model
from service.catalog.tables import Model
from service.database import now
from service.jobs.tables import Event, Job
from service.results.queries import LabelResult, UnitResult
from tests.service.results import planted
from tests.service.results.attacks import attacked
from tests.service.results.effects import removed

HOSTILE = """<b>"x"</b>&'y'?q=1#z"""
LAYER = "conv<1>&"
IMAGE = "ab" * 32
PICTURE = b"\x89PNG\r\n\x1a\n"


class Filled(NamedTuple):
    """The jobs that are there, by kind; `older` is the first of two dissections."""

    older: uuid.UUID
    dissection: uuid.UUID
    ablation: uuid.UUID
    attack: uuid.UUID
    failed: uuid.UUID


def fill(session: Session, store: ArtifactStore, team_name: str) -> Filled:
    """A model whose layer was dissected twice, ablated and attacked, and a job that failed."""
    team = planted.plant_team(session, team_name)
    picture = store.put(PICTURE)
    record_artifacts(session, team, [(picture, len(PICTURE), "image/png")])
    model = _plant_model(session, team)
    concepts = [("object", HOSTILE), ("material", "glass")]
    ids = concept_ids(session, team, concepts)
    older, newer = (_dissect(session, team, model, ids, picture, share) for share in (0.5, 0.25))
    return Filled(
        older.id,
        newer.id,
        _ablate(session, team, model, picture).id,
        _attack(session, team, model, picture).id,
        _fail(session, team, model).id,
    )


def _plant_model(session: Session, team: uuid.UUID) -> Model:
    location: dict[str, Any] = {"builtin": "scenes-validation"}
    classes = [HOSTILE, "forest"]
    more = {"format": "masks", "location": location, "manifest": "ef" * 32, "images": 40, "grid": 8}
    write_dataset(session, team, name="photos", classes=classes, concepts=[("object", HOSTILE)], **more)
    return write_model(
        session,
        team,
        name="alpha",
        kind="classifier",
        source="torchvision:vgg16",
        weights={"seed": 1},
        input={"resize": 32, "crop": None},
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=[planted.Shape(LAYER, units=3), planted.Shape("conv2", units=3)],
        classes=classes,
    )


def _dissect(session: Session, team: uuid.UUID, model: Model, concepts: list[int], picture: str, share: float) -> Job:
    job = planted.plant_job(session, team, model)
    scores = {"iou_low": share - 0.1, "iou_high": share + 0.1, "auroc": 0.9, "equal_error_threshold": 2.0}
    labels = [
        [LabelResult(concepts[0], 1, share, 10, 20, **scores), LabelResult(concepts[1], 2, 0.01, 1, 100)],
        [LabelResult(concepts[1 if share == 0.5 else 0], 1, 0.05, 5, 100, iou_low=0.0, iou_high=0.125)],
        [],
    ]
    top = {"image": HOSTILE, "digest": IMAGE, "peak": 4.0}
    histogram = {"edges": [0.0, 1.0, 4.0], "with": [1, 3], "without": [6, 2]}
    units = [
        UnitResult(
            index=index,
            threshold=1.5,
            active=20,
            peak=4.0,
            labels=found,
            histogram=histogram if found else None,
            top_images=[top] if found else [],
            picture=picture if found else None,
        )
        for index, found in enumerate(labels)
    ]
    planted.dissect(session, job, [LAYER], {LAYER: units})
    chart = [{"category": "object", "concept": HOSTILE, "units": 2}]
    figures = {"units": 3, "detectors": 2, "dead_units": 1, "mean_best_iou": 0.2, "distinct": {"object": 1}}
    control = {**figures, "chart": chart}
    shuffled = {"detectors": 0.5, "mean_best_iou": 0.01, "highest_iou": 0.02, "permutations": 200, "significant": 1}
    controls = {"rotation": control, "untrained": control, "permutation": shuffled}
    layer = {"layer": LAYER, **figures, "chart": chart, "controls": controls, "iou_artifact": planted.MATRIX}
    job.params = {**job.params, "layers": [LAYER], "quantile": share}
    job.summary = {"images": 40, "grid": 4, "concepts": [], "layers": [layer]}
    job.started_at = job.finished_at = now(session)
    return job


def _ablate(session: Session, team: uuid.UUID, model: Model, picture: str) -> Job:
    job = planted.plant_job(session, team, model, "ablation")
    classes = class_ids(session, model.id)
    effects = [removed.effect(id, unit, unit + 1) for id in classes for unit in range(3)]
    curves = {classes[0]: removed.curves([1, 2, 4])}
    removed.ablate(session, job, LAYER, effects, units=3, curves=curves, important=dict.fromkeys(classes, 2))
    images = {"images": 40, "all_class_accuracy": 0.9}
    job.params = {"layer": LAYER}
    job.summary = {
        "evaluation": images,
        "units": [0, 1, 2],
        "classes": [HOSTILE, "forest"],
        "pictures": {"curves": picture},
    }
    return job


def _attack(session: Session, team: uuid.UUID, model: Model, picture: str) -> Job:
    job = attacked.plant_job(session, team, model, layers=[LAYER])
    target, source = class_ids(session, model.id)
    kept = {"original": picture, "adversarial": picture, "picture": picture}
    images = [
        attacked.image(0, source, target, digest=IMAGE, **kept),
        attacked.image(1, source, target, "failed", digest="cd" * 32),
    ]
    moved = attacked.shifts(session, model.id, LAYER, [3.0, -2.0, 0.5])
    attacked.attack(session, job, target, images, moved, HOSTILE, layers=[attacked.figures(None, [LAYER])["layers"][0]])
    job.summary = {
        "method": attacked.METHOD,
        "targets": [attacked.figures(HOSTILE, [LAYER])],
        "pictures": {"accuracy": picture},
    }
    return job


def _fail(session: Session, team: uuid.UUID, model: Model) -> Job:
    job = planted.plant_job(session, team, model)
    job.params = {"layers": [LAYER]}
    job.state, job.error = "failed", {"title": "A part of the job failed", "detail": HOSTILE}
    session.add(Event(job_id=job.id, sequence=1, type="failed", data={"error": job.error}, at=now(session)))
    return job
