"""Jobs from submission to their end in one process: real kinds, real shards, a real database, no broker."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa

from service.access.queries import make_team
from service.artifacts.store import ArtifactStore
from service.catalog.tables import Concept, Layer
from service.database import make_engine, make_sessions
from service.jobs.ablation import check_ablation
from service.jobs.attack import check_attack
from service.jobs.checks import check_dissection
from service.jobs.intervention import check_intervention
from service.jobs.queries import retry
from service.jobs.requests import JobRequestSchema
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import ACTIVE_STATES, Job, Stage
from service.results.queries import LabelResult
from service.results.tables import LayerDissection, Unit, UnitLabel
from service.settings import Settings
from tests.workers.jobs import planted
from workers.jobs import subjects
from workers.jobs.registry import KINDS
from workers.networks.sources import SOURCES
from workers.runner.executing import Process, run_next

SCORES = LabelResult._fields[5:]


@dataclass
class Found:
    """What a dissection left of one layer; units are rows."""

    thresholds: np.ndarray
    areas: np.ndarray
    peaks: np.ndarray
    labels: list[tuple[str, str] | None]
    detectors: list[bool]
    iou: np.ndarray
    pairs: dict[tuple[int, tuple[str, str]], tuple[int, int, int]]
    """(unit, concept) -> rank, intersection, union."""
    scores: dict[tuple[int, tuple[str, str]], dict[str, float | None]]
    histograms: list[dict[str, Any] | None]
    top_images: list[list[tuple[str, float]]]
    pictures: list[str | None]


class Driver:
    """One team's jobs, and workers for them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = replace(settings, device="cpu", retry_seconds=0.0, lease_seconds=60.0)
        self.engine = make_engine(self.settings)
        self.sessions = make_sessions(self.engine)
        self.store = ArtifactStore(self.settings.artifact_dir)
        self.process = Process(self.settings, self.sessions, self.store, dict(KINDS))
        with self.sessions.begin() as session:
            self.team_id = make_team(session, "local").id

    def queue_model(self, name: str, source: str, **given: Any) -> UUID:
        wanted = {"name": name, "kind": "classifier", "source": source, "weights": {"seed": 0}, "input": {}}
        return self._queue_registration("model", wanted | {"classes": None, "concepts": None} | given)

    def queue_dataset(self, name: str, **given: Any) -> UUID:
        wanted = {"name": name, "format": "masks", "location": {"path": name}, "grid": None, "scenes": False}
        return self._queue_registration("dataset", wanted | given)

    def _queue_registration(self, what: str, wanted: Mapping[str, Any]) -> UUID:
        request = JobRequest(team_id=self.team_id, kind="registration", params={"what": what, **wanted})
        with self.sessions.begin() as session:
            return submit(session, request, Settings()).job.id

    def queue_dissection(self, model: str, dataset: str, layers: Sequence[str], **params: Any) -> UUID:
        body = {"kind": "dissection", "model": model, "dataset": dataset, "layers": list(layers), **params}
        with self.sessions.begin() as session:
            checked = check_dissection(session, self.team_id, JobRequestSchema().load(body), 2**40)
            return submit(session, checked.request, Settings()).job.id

    def queue_ablation(self, model: str, dataset: str, layer: str, **params: Any) -> UUID:
        body = {"kind": "ablation", "model": model, "dataset": dataset, "layer": layer, **params}
        with self.sessions.begin() as session:
            checked = check_ablation(session, self.team_id, JobRequestSchema().load(body), 2**40)
            return submit(session, checked.request, Settings()).job.id

    def queue_attack(self, model: str, dataset: str, **params: Any) -> UUID:
        body = {"kind": "attack", "model": model, "dataset": dataset, **params}
        with self.sessions.begin() as session:
            checked = check_attack(session, self.team_id, JobRequestSchema().load(body), 2**40)
            return submit(session, checked.request, Settings()).job.id

    def queue_intervention(self, model: str, layer: str | list[str], **params: Any) -> UUID:
        body = {"kind": "intervention", "model": model, "layer": layer, **params}
        with self.sessions.begin() as session:
            checked = check_intervention(session, self.team_id, JobRequestSchema().load(body), 2**40)
            return submit(session, checked.request, Settings()).job.id

    def run(self, workers: int = 1) -> None:
        """Run shards until every job has ended."""

        def work(number: int) -> None:
            while self._unfinished():
                if not run_next(self.process, f"worker{number}", "task"):
                    time.sleep(0.01)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))

    def _unfinished(self) -> bool:
        with self.sessions() as session:
            return session.scalar(sa.select(Job.id).where(Job.state.in_(ACTIVE_STATES)).limit(1)) is not None

    def job(self, job_id: UUID) -> Job:
        with self.sessions() as session:
            return session.get_one(Job, job_id)

    def done(self, job_id: UUID, workers: int = 1) -> Job:
        """The job, run and succeeded."""
        self.run(workers)
        job = self.job(job_id)
        assert job.state == "succeeded", job.error
        return job

    def failure(self, job_id: UUID) -> dict[str, Any]:
        """The problem of the job, run and failed."""
        self.run()
        job = self.job(job_id)
        assert job.state == "failed"
        return job.error

    def retry(self, job_id: UUID) -> None:
        with self.sessions.begin() as session:
            retry(session, session.get_one(Job, job_id))

    def dissect(self, model: str, dataset: str, layers: Sequence[str], workers: int = 1, **params: Any) -> Job:
        return self.done(self.queue_dissection(model, dataset, layers, **params), workers)

    def ablate(self, model: str, dataset: str, layer: str, workers: int = 1, **params: Any) -> Job:
        return self.done(self.queue_ablation(model, dataset, layer, **params), workers)

    def attack(self, model: str, dataset: str, workers: int = 1, **params: Any) -> Job:
        return self.done(self.queue_attack(model, dataset, **params), workers)

    def intervene(self, model: str, layer: str | list[str], workers: int = 1, **params: Any) -> Job:
        return self.done(self.queue_intervention(model, layer, **params), workers)

    def stages(self, job: Job) -> list[str]:
        with self.sessions() as session:
            return list(session.scalars(sa.select(Stage.name).where(Stage.job_id == job.id).order_by(Stage.position)))

    def count(self, table: type) -> int:
        with self.sessions() as session:
            return session.scalars(sa.select(sa.func.count()).select_from(table)).one()

    def found(self, job: Job) -> dict[str, Found]:
        """What the job found, by layer, read from the database and the artifacts."""
        with self.sessions() as session:
            rows = session.execute(
                sa.select(Layer.name, LayerDissection)
                .join(LayerDissection, LayerDissection.layer_id == Layer.id)
                .where(LayerDissection.job_id == job.id)
            )
            concepts = {c.id: (c.category, c.name) for c in session.scalars(sa.select(Concept))}
            return {name: self._found(session, layer, concepts) for name, layer in rows}

    def _found(self, session: Any, layer: LayerDissection, concepts: dict[int, tuple[str, str]]) -> Found:
        units = list(session.scalars(sa.select(Unit).where(Unit.dissection_id == layer.id).order_by(Unit.index)))
        assert [unit.index for unit in units] == list(range(len(units)))
        index_of = {unit.id: unit.index for unit in units}
        labels = list(session.scalars(sa.select(UnitLabel).where(UnitLabel.dissection_id == layer.id)))
        return Found(
            thresholds=np.array([unit.threshold for unit in units]),
            areas=np.array([unit.active for unit in units]),
            peaks=np.array([unit.peak for unit in units]),
            labels=[concepts.get(unit.concept_id) for unit in units],
            detectors=[unit.detector for unit in units],
            iou=np.load(self.store.path(layer.iou_artifact)),
            pairs={
                (index_of[label.unit_id], concepts[label.concept_id]): (label.rank, label.intersection, label.union)
                for label in labels
            },
            scores={
                (index_of[label.unit_id], concepts[label.concept_id]): {name: getattr(label, name) for name in SCORES}
                for label in labels
            },
            histograms=[unit.histogram for unit in units],
            top_images=[[(top["image"], top["peak"]) for top in unit.top_images] for unit in units],
            pictures=[unit.picture for unit in units],
        )


LOADING = threading.RLock()
"""Seeds are drawn from a generator that all threads share."""


def one_for_each_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Workers are processes, each with a network of its own; here they are threads."""
    kept: dict[Any, Any] = {}

    def call(*arguments: Any) -> Any:
        key = (threading.get_ident(), arguments)
        with LOADING:
            if key not in kept:
                kept[key] = function(*arguments)
            return kept[key]

    return call


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what the threads of one worker share."""

    def call(*arguments: Any) -> Any:
        with LOADING:
            return function(*arguments)

    return call


@pytest.fixture(autouse=True)
def planted_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "planted", planted.source)
    for load in ("_network", "_untrained"):
        monkeypatch.setattr(subjects, load, one_for_each_thread(getattr(subjects, load).__wrapped__))
    monkeypatch.setattr(subjects, "_segmenting_network", one_at_a_time(subjects._segmenting_network))


@pytest.fixture
def driver(sqlite_settings: Settings) -> Iterator[Driver]:
    driver = Driver(sqlite_settings)
    yield driver
    driver.engine.dispose()


@pytest.fixture
def driver_on_each(settings: Settings) -> Iterator[Driver]:
    """A driver on each database in turn."""
    driver = Driver(settings)
    yield driver
    driver.engine.dispose()
