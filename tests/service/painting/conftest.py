"""A generator with a dissected layer, and a stand-in for the worker that paints."""

import base64
import io
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy.orm import Session

from service import create_app
from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import concept_ids, write_model
from service.catalog.tables import Model
from service.database import Sessions
from service.jobs.tables import Job
from service.painting import queries
from service.painting.tables import Painting
from service.results.queries import LabelResult, UnitResult
from service.settings import Settings
from tests.service.results.planted import Shape, dissect, plant_job, plant_segmenter, plant_team

LATENT, HEIGHT, WIDTH = [6, 1, 1], 8, 12
CONCEPTS = [("object", "tree"), ("part", "tree"), ("object", "glass"), ("material", "glass"), ("object", "ship")]
IOUS = {
    ("object", "tree"): [0.5, 0.0, 0.3, 0.02, 0.3, 0.0],
    ("object", "glass"): [0.0, 0.03, 0.0, 0.01, 0.0, 0.0],
    ("material", "glass"): [0.0, 0.0, 0.0, 0.0, 0.0, 0.2],
}
"""Of each unit of `layer`."""
THRESHOLDS = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
RESULT: dict[str, Any] = {
    "grid": 12,
    "concepts": [
        {
            "category": "object",
            "name": "tree",
            "inside": {"before": 1, "after": 9},
            "outside": {"before": 20, "after": 21},
        }
    ],
    "strokes": [{"units": 2, "cells": 2, "of": 16}],
}
INPUT = {"latent": LATENT, "range": [-1.0, 1.0], "size": [HEIGHT, WIDTH]}


def plant_generator(session: Session, team: uuid.UUID, name: str = "faces", kind: str = "generator") -> Model:
    return write_model(
        session,
        team,
        name=name,
        kind=kind,
        source="exported",
        weights={"seed": 1},
        input=INPUT if kind == "generator" else {},
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=[Shape("layer"), Shape("unseen")],
        classes=[],
    )


def plant_dissection(session: Session, team: uuid.UUID, model: Model, **params: Any) -> Job:
    job = plant_job(session, team, model)
    job.params = {"cutoff": 0.04, "quantile": 0.01, "segmentation": ["model:seg", "colors"], **params}
    ids = dict(zip(CONCEPTS, concept_ids(session, team, CONCEPTS), strict=True))
    units = [
        UnitResult(index=unit, threshold=THRESHOLDS[unit], active=1, peak=9.0, labels=_labels(unit, ids))
        for unit in range(len(THRESHOLDS))
    ]
    dissect(session, job, ["layer"], {"layer": units})
    return job


def _labels(unit: int, ids: dict[tuple[str, str], int]) -> list[LabelResult]:
    found = sorted(((ious[unit], ids[concept]) for concept, ious in IOUS.items() if ious[unit]), reverse=True)
    return [LabelResult(concept, rank, iou, 1, 2) for rank, (iou, concept) in enumerate(found, start=1)]


@dataclass
class Planted:
    """Ids of what was planted."""

    team: uuid.UUID
    dissection: str


def plant(session: Session, team: uuid.UUID) -> Planted:
    """A generator with a dissection, its segmenter and a classifier."""
    plant_segmenter(session, team, "seg", [*CONCEPTS])
    plant_generator(session, team, "vgg", "classifier")
    job = plant_dissection(session, team, plant_generator(session, team))
    return Planted(team, str(job.id))


@pytest.fixture
def planted(sessions: Sessions) -> Planted:
    with sessions.begin() as session:
        team = plant_team(session, "local")
        return plant(session, team)


def faces(session: Session) -> Model:
    return session.scalars(sa.select(Model).where(Model.name == "faces")).one()


@pytest.fixture
def settings(sqlite_settings: Settings) -> Settings:
    """One database: `test_queries` has the other, too."""
    return replace(sqlite_settings, painting_seconds=60.0)


Impatient = Callable[[float], FlaskClient]


@pytest.fixture
def impatient(settings: Settings) -> Impatient:
    """Make a client of a service that waits for so many seconds."""
    return lambda seconds: create_app(replace(settings, painting_seconds=seconds)).test_client()


def png(pixels: Any, mode: str = "L") -> str:
    """A PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def body(**given: Any) -> dict[str, Any]:
    stroke = {"concept": {"category": "object", "name": "tree"}, "action": "draw", "mask": corner(), "top": 2}
    return {"latent": {"seed": 1, "index": 12}, "layer": "layer", "strokes": [stroke]} | given


def corner() -> dict[str, Any]:
    """The upper left pixel and the last two."""
    return {"size": [HEIGHT, WIDTH], "runs": [0, 1, HEIGHT * WIDTH - 3, 2]}


Work = Callable[[Session, Painting], None]


class StandIn(threading.Thread):
    """Ends each painting that waits as a worker would, in a thread."""

    def __init__(self, sessions: Sessions, store: ArtifactStore) -> None:
        super().__init__(daemon=True)
        self.sessions, self.store, self.over = sessions, store, threading.Event()
        self.end: Work = self.paint

    def run(self) -> None:
        while not self.over.wait(0.01):
            with self.sessions() as session:
                waiting = session.scalar(sa.select(Painting.id).where(Painting.state == "queued"))
            if waiting is not None:
                with self.sessions.begin() as session:
                    claimed = queries.claim(session, waiting, "stand-in")
                    if claimed is not None:
                        self.end(session, claimed)

    def paint(self, session: Session, painting: Painting) -> None:
        digests = {name: self.store.put(name.encode()) for name in ("edited", "unedited")}
        record_artifacts(session, painting.team_id, [(digest, 8, "image/png") for digest in digests.values()])
        queries.finish(session, painting.id, "succeeded", result=RESULT, **digests)


@pytest.fixture
def worker(planted: Planted, settings: Settings, sessions: Sessions) -> Iterator[StandIn]:
    worker = StandIn(sessions, ArtifactStore(settings.artifact_dir))
    worker.start()
    yield worker
    worker.over.set()
    worker.join()
