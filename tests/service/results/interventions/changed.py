"""A generator with dissected layers, and interventions on it whose rows are known."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import concept_ids, layer_ids, write_model
from service.catalog.tables import Model
from service.jobs.tables import Job
from service.results.interventions.queries import (
    ChangeResult,
    ContextResult,
    InterventionResult,
    MeasuredResult,
    PictureResult,
    write_intervention,
)
from service.results.interventions.tables import BY_EFFECT, BY_IOU, EVERYWHERE, REMOVE
from service.results.queries import LabelResult, UnitResult
from tests.service.results import planted

LAYERS = ("layer1", "layer2")
CONCEPTS = [("color", "red"), ("object", "tree"), ("object", "sky")]
RED, TREE, SKY = range(3)
IOUS = [0.1, 0.5, 0.0, 0.3, 0.2, 0.4]
"""Of each unit with `tree`."""
LATENTS = {"seed": 1, "first": 0, "count": 100}
INPUT = {"latent": [6], "range": [-1.0, 1.0], "size": [16, 24]}
BEFORE, AFTER = "4" * 64, "5" * 64


def plant_generator(session: Session, team: uuid.UUID, name: str = "churches") -> Model:
    """A generator with two layers of six units and maps of 4 x 4."""
    return write_model(
        session,
        team,
        name=name,
        kind="generator",
        source="exported",
        weights={"seed": 1},
        input=INPUT,
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=[planted.Shape(layer) for layer in LAYERS],
        classes=[],
    )


def dissect(session: Session, team: uuid.UUID, model: Model, layers: Sequence[str] = LAYERS) -> Job:
    """A dissection of layers whose units fit `tree` as IOUS says."""
    job = planted.plant_job(session, team, model)
    job.params = {"cutoff": 0.04, "latents": LATENTS, "segmentation": ["model:painter"], "halves": False}
    tree = concept_ids(session, team, CONCEPTS)[TREE]
    labels = [[LabelResult(tree, 1, iou, int(100 * iou), 100)] if iou else [] for iou in IOUS]
    units = [UnitResult(index=unit, threshold=1.0, labels=found) for unit, found in enumerate(labels)]
    planted.dissect(session, job, list(layers), dict.fromkeys(layers, units))
    return job


def changes(ids: Sequence[int]) -> list[ChangeResult]:
    """What removing one and two units did to the tree and the sky."""
    return [
        ChangeResult(order, size, ids[concept], pictures, before, after, *interval, *random)
        for order, size, concept, pictures, before, after, interval, random in (
            (BY_IOU, 1, TREE, 30, 1000, 750, (-0.25, -0.5, -0.125), (0.25, 0.125, 0.5)),
            (BY_IOU, 1, SKY, 40, 4000, 4100, (0.025, 0.0, 0.0625), (0.0, -0.125, 0.125)),
            (BY_IOU, 2, TREE, 30, 1000, 500, (-0.5, -0.75, -0.25), (0.5, 0.25, 0.75)),
            (BY_EFFECT, 2, TREE, 30, 1000, 250, (-0.75, -0.875, -0.5), (0.5, 0.25, 0.75)),
            (BY_EFFECT, 2, RED, 0, 0, 4, (None, None, None), (None, None, None)),
        )
    ]


MEASURED = [
    MeasuredResult(1, 1, 0.5, -0.25, -0.5, -0.125, 2, -0.125),
    MeasuredResult(5, 2, 0.4, -0.5, -0.625, -0.25, 1, -0.5),
]


def contexts(ids: Sequence[int]) -> list[ContextResult]:
    """What one cell brings over the sky and over trees."""
    return [
        ContextResult(2, ids[SKY], 2000, 40, True, 1.5, 0.25, 0.5),
        ContextResult(2, ids[TREE], 8, 1, False, 3.0, 0.5, None),
    ]


def pictures(before: str = BEFORE, after: str = AFTER) -> list[PictureResult]:
    """Two pictures before and after."""
    return [
        PictureResult(0, "seed 2 latent 000003", "a" * 64, BY_IOU, 2, None, None, 60, 20, before, after),
        PictureResult(1, "seed 2 latent 000007", "b" * 64, BY_IOU, 2, 1, 3, None, None, before, after),
    ]


def plant_job(session: Session, team: uuid.UUID, model: Model, layers: Sequence[str] = LAYERS[:1]) -> Job:
    """An intervention that has succeeded on these layers."""
    job = planted.plant_job(session, team, model, "intervention")
    job.params = {"layer": list(layers)}
    session.flush()
    return job


def intervene(session: Session, job: Job, layer: str = LAYERS[0], **more: Any) -> None:
    """Write what an intervention on a layer did, by default the removal of tree units everywhere."""
    record_artifacts(session, job.team_id, [(digest, 4, "image/png") for digest in (BEFORE, AFTER)])
    assert job.model_id is not None
    ids = concept_ids(session, job.team_id, CONCEPTS)
    known: dict[str, Any] = {
        "layer_id": layer_ids(session, job.model_id)[layer],
        "concept_id": ids[TREE],
        "action": REMOVE,
        "extent": EVERYWHERE,
        "pictures": 50,
        "changes": changes(ids),
        "units": MEASURED,
        "contexts": contexts(ids),
        "edited": pictures(),
    }
    write_intervention(session, job, InterventionResult(**{**known, **more}))
