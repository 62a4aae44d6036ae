"""A team with a model and two datasets, and what a worker does to its jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from service.access.queries import make_team
from service.catalog.queries import write_dataset, write_model
from service.context import Services
from service.database import Sessions, now
from service.jobs import queries
from service.jobs.tables import Job, Shard, Stage

BODY = {"kind": "dissection", "model": "vgg", "dataset": "scenes", "layers": ["conv5", "conv1"]}
INPUT = {"resize": 64, "crop": None, "channels": "rgb", "scale": 1 / 255, "mean": [0.0] * 3, "std": [1.0] * 3}


@dataclass(frozen=True)
class Shape:
    name: str
    units: int
    height: int
    width: int


LAYERS = [Shape("conv1", 16, 32, 32), Shape("conv2", 32, 16, 16), Shape("conv5", 64, 8, 8)]


def fill_catalog(sessions: Sessions, team_name: str, model_name: str = "vgg") -> Any:
    """A team with a classifier and datasets with and without masks; returns the team's id."""
    with sessions.begin() as session:
        team = make_team(session, team_name)
        session.flush()
        write_model(
            session,
            team.id,
            name=model_name,
            kind="classifier",
            source="builtin:scenes-classifier",
            weights={},
            input=INPUT,
            digest="ab" * 32,
            forward_seconds=0.01,
            layers=LAYERS,
            classes=["beach", "forest"],
        )
        for name, concepts in (("scenes", [("object", "tree"), ("object", "sky")]), ("photos", [])):
            write_dataset(
                session,
                team.id,
                name=name,
                format="masks",
                location={"path": name},
                manifest=("cd" if concepts else "ef") * 32,
                images=1000,
                grid=None,
                classes=[],
                concepts=concepts,
            )
        return team.id


def add_segmenter(
    made: Services, team_id: Any, name: str, concepts: list[list[str] | None], digest: str, seconds: float = 0.5
) -> None:
    """A segmenter whose digest is these two digits again and again."""
    with made.sessions.begin() as session:
        write_model(
            session,
            team_id,
            name=name,
            kind="segmenter",
            source="exported",
            weights={},
            input=INPUT,
            digest=digest * 32,
            forward_seconds=seconds,
            layers=[],
            classes=[],
            concepts=concepts,
        )


def the_job(session):
    return session.scalars(sa.select(Job)).one()


def run_first_shard(made):
    with made.sessions.begin() as session:
        session.execute(sa.update(Shard).values(state="running", attempt=1, lease_owner="w"))
        job = the_job(session)
        job.state = "running"
        queries.record_event(session, job, "running")


def finish(made, state, **what):
    with made.sessions.begin() as session:
        queries.finish_job(session, the_job(session), state, **what)


def add_second_stage(made):
    with made.sessions.begin() as session:
        job = the_job(session)
        session.execute(sa.update(Shard).values(state="done", attempt=1, result={}))
        session.add(Stage(job_id=job.id, position=1, name="collect", unit="images", shards=3, created_at=now(session)))
        session.flush()
        for index, (state, attempt) in enumerate([("done", 1), ("running", 1), ("failed", 3)]):
            session.add(
                Shard(
                    job_id=job.id,
                    stage_position=1,
                    index=index,
                    state=state,
                    attempt=attempt,
                    priority=0,
                    payload={},
                    weight=64,
                    seconds=32.0 if state == "done" else None,
                    not_before=now(session),
                )
            )


@pytest.fixture
def made(app: Flask) -> Services:
    """The application's services."""
    services: Services = app.extensions["unitatlas"]
    return services


@pytest.fixture
def team(made: Services) -> Any:
    """The id of the team `local`, with its catalog."""
    return fill_catalog(made.sessions, "local")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Ids of the shards that were hinted at, in place of a broker."""
    hints: list[Any] = []
    monkeypatch.setattr("service.jobs.views.publish", lambda _celery, shards: hints.extend(shards))
    return hints


@pytest.fixture
def post(client: Any, team: Any, published: list[Any]) -> Callable[..., Any]:
    """Submit the usual dissection with some fields changed."""

    def send(_path: str = "/v1/jobs", _key: str | None = None, **changes: Any) -> Any:
        headers = {"Idempotency-Key": _key} if _key else {}
        return client.post(_path, json={**BODY, **changes}, headers=headers)

    return send
