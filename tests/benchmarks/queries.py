"""How fast the team's questions are answered over a million unit labels, on both databases.

Ten models of thirteen layers of 512 units, sixteen labels a unit, 320 concepts of which some are much more frequent
than others and twenty share their name with one of another category. Each question is asked with other names every
time, once of the query function and once of the whole HTTP stack, at the default page of 50.

    python -m tests.benchmarks.queries
"""

import gc
import logging
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import sqlalchemy as sa
from alembic import command
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from service import create_app
from service.access.tables import LOCAL_TEAM, Team
from service.artifacts.queries import record_artifacts
from service.catalog.queries import concept_ids, write_model
from service.catalog.tables import Layer, Model
from service.context import Services
from service.database import make_engine, new_id, now, reading
from service.jobs.tables import Job
from service.migrations import alembic_config
from service.pagination import PageRequest
from service.results.queries import (
    LabelResult,
    LayerResult,
    UnitResult,
    get_unit,
    history_of,
    labels_of,
    write_dissection,
)
from service.results.schemas import UnitsQuerySchema
from service.results.search_queries import search_units
from service.settings import Settings
from tests import servers

MODELS, LAYERS, UNITS, LABELS = 10, 13, 512, 16
NAMES, SHARED_NAMES = 300, 20
REPEATS = 300
BOUND_MS = 10.0
MATRIX = "0" * 64

rng = np.random.default_rng(0)
concepts = [("object", f"concept {i}") for i in range(NAMES)] + [
    ("material", f"concept {i}") for i in range(SHARED_NAMES)
]
# a few concepts are everywhere, most are rare
log_weights = -0.7 * np.log(1 + rng.permutation(len(concepts)))


class Shape:
    """A layer as the dry run of a registration would find it."""

    def __init__(self, index: int) -> None:
        self.name, self.units, self.height, self.width = f"features.{index}", UNITS, 14, 14


def layer_result(layer_id: int, ids: np.ndarray) -> LayerResult:
    """A layer whose labels are drawn at random, frequent concepts more often."""
    scores = log_weights + rng.gumbel(size=(UNITS, len(ids)))
    chosen = ids[np.argsort(-scores, axis=1)[:, :LABELS]]
    ious = -np.sort(-rng.beta(1, 20, size=(UNITS, LABELS)), axis=1)
    units = [
        UnitResult(
            index=unit,
            threshold=float(rng.uniform(1, 20)),
            active=31360,
            peak=30.0,
            labels=[
                LabelResult(int(concept), rank, float(iou), int(iou * 1e6), 10**6)
                for rank, (concept, iou) in enumerate(zip(chosen[unit], ious[unit], strict=True), 1)
            ],
        )
        for unit in range(UNITS)
    ]
    return LayerResult(layer_id=layer_id, grid=56, samples=3_136_000, iou_artifact=MATRIX, units=units)


def fill(session: Session) -> None:
    """Write the models and what their dissections found."""
    team = session.scalar(sa.select(Team.id).where(Team.name == LOCAL_TEAM)) or add_team(session)
    record_artifacts(session, team, [(MATRIX, 1, "application/octet-stream")])
    ids = np.array(concept_ids(session, team, concepts))
    for number in range(MODELS):
        model = write_model(
            session,
            team,
            name=f"model-{number}",
            kind="classifier",
            source="torchvision:vgg16",
            weights={"seed": number},
            input={},
            digest=f"{number:064x}",
            forward_seconds=0.1,
            layers=[Shape(index) for index in range(LAYERS)],
            classes=[],
        )
        job = add_job(session, team, model)
        layers = session.scalars(sa.select(Layer.id).where(Layer.model_id == model.id)).all()
        write_dissection(session, job, [layer_result(layer, ids) for layer in layers])


def add_team(session: Session) -> uuid.UUID:
    """The team that loopback addresses speak for."""
    team = Team(name=LOCAL_TEAM, created_at=now(session))
    session.add(team)
    session.flush()
    return team.id


def add_job(session: Session, team: uuid.UUID, model: Model) -> Job:
    """A succeeded dissection."""
    job = Job(
        id=new_id(),
        team_id=team,
        kind="dissection",
        state="succeeded",
        model_id=model.id,
        params={"cutoff": 0.04},
        labels={},
        fingerprint=uuid.uuid4().hex,
        shared=True,
        created_at=now(session),
    )
    session.add(job)
    session.flush()
    return job


def concept() -> str:
    """A concept's name, frequent or rare."""
    return concepts[rng.integers(SHARED_NAMES, NAMES)][1]


def model() -> str:
    """A model's name."""
    return f"model-{rng.integers(MODELS)}"


def layer() -> str:
    """A layer's name."""
    return f"features.{rng.integers(LAYERS)}"


frequent = concepts[SHARED_NAMES + int(np.argmax(log_weights[SHARED_NAMES:NAMES]))][1]

QUESTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "by concept": lambda: {"concept": concept()},
    "by the most frequent concept": lambda: {"concept": frequent},
    "by concept, in two categories": lambda: {"concept": f"concept {rng.integers(SHARED_NAMES)}"},
    "by concept and model": lambda: {"concept": concept(), "model": model()},
    "by the most frequent concept and model": lambda: {"concept": frequent, "model": model()},
    "by concept, model and layer": lambda: {"concept": concept(), "model": model(), "layer": layer()},
    "by concept, detectors only": lambda: {"concept": concept(), "detectors": True},
    "by concept and min_iou": lambda: {"concept": concept(), "min_iou": 0.1},
    "next page by concept": lambda: {"concept": concept(), "next": True},
    "by model": lambda: {"model": model()},
    "by model and layer, in order of units": lambda: {"model": model(), "layer": layer(), "sort": "unit"},
    "without concept": dict,
}


def page_request(question: dict[str, Any], cursor: str | None = None) -> PageRequest:
    """The question as the view would hand it on."""
    request: PageRequest = UnitsQuerySchema().load({**question, **({"cursor": cursor} if cursor else {})})
    return request


def ask_function(services: Services, team: uuid.UUID, question: dict[str, Any], cursor: str | None) -> str | None:
    """Ask the query function; return the next page's cursor."""
    with reading(services.sessions) as session:
        return search_units(session, team, page_request(question, cursor)).next_cursor


def ask_http(client: FlaskClient, question: dict[str, Any], cursor: str | None) -> str | None:
    """Ask over HTTP; return the next page's cursor."""
    reply = client.get(f"/v1/units?{urlencode({**question, **({'cursor': cursor} if cursor else {})})}")
    assert reply.status_code == 200, reply.json
    following: str | None = reply.json["next_cursor"]
    return following


def percentiles(
    ask: Callable[[dict[str, Any], str | None], str | None], draw: Callable[[], dict[str, Any]]
) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds that an answer takes."""
    times = []
    for _ in range(REPEATS):
        question = draw()
        cursor = ask(question, None) if question.pop("next", False) else None
        begin = time.perf_counter()
        ask(question, cursor)
        times.append(1000 * (time.perf_counter() - begin))
    median, slow = np.percentile(times, [50, 99])
    return float(median), float(slow)


def ask_unit(services: Services, team: uuid.UUID, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask the query functions for the page of one unit."""
    with reading(services.sessions) as session:
        found = get_unit(session, team, model(), layer(), int(rng.integers(UNITS)))
        labels_of(session, found.id)
        history_of(session, team, found)


def ask_unit_http(client: FlaskClient, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask for the page of one unit over HTTP."""
    assert client.get(f"/v1/models/{model()}/layers/{layer()}/units/{rng.integers(UNITS)}").status_code == 200


def plan(services: Services, team: uuid.UUID, question: dict[str, Any]) -> str:
    """The database's plan for the search itself."""
    asked: list[tuple[str, Any]] = []
    with reading(services.sessions) as session:
        connection = session.connection()
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _u, text, values, *_: asked.append((text, values))
        )
        search_units(session, team, page_request(question))
        text, values = next((text, values) for text, values in asked if "FROM unit_labels" in text)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {text}", values))


@contextmanager
def filled(url: str) -> Iterator[tuple[Services, FlaskClient, uuid.UUID]]:
    """A service on a database with a million labels."""
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(data_dir=Path(directory), database_url=url)
        engine = make_engine(settings)
        with engine.begin() as connection:
            command.upgrade(alembic_config(connection), "head")
        engine.dispose()
        app = create_app(settings)
        logging.getLogger("service").setLevel(logging.WARNING)
        services: Services = app.extensions["unitatlas"]
        with services.sessions.begin() as session:
            fill(session)
        if url:
            with services.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")  # as the autovacuum would in its time
        with reading(services.sessions) as session:
            team = session.scalars(sa.select(Team.id)).one()
        yield services, app.test_client(), team
        services.engine.dispose()


def measure(title: str, url: str) -> None:
    """Print a row for each question."""
    begin = time.perf_counter()
    with filled(url) as (services, client, team):
        rows = MODELS * LAYERS * UNITS * LABELS
        print(f"<!-- {title}: {rows:,} labels written in {time.perf_counter() - begin:.0f} s -->", flush=True)
        asked: dict[str, tuple[Any, Any, Any]] = {
            name: (partial(ask_function, services, team), partial(ask_http, client), draw)
            for name, draw in QUESTIONS.items()
        }
        asked["one unit"] = (partial(ask_unit, services, team), partial(ask_unit_http, client), dict)
        gc.collect()
        for name, (function, http, draw) in asked.items():
            median, slow = percentiles(function, draw)
            http_median, http_slow = percentiles(http, draw)
            print(f"| {title} | {name} | {median:.1f} | {slow:.1f} | {http_median:.1f} | {http_slow:.1f} |", flush=True)
        for question in ({"concept": frequent}, {"concept": frequent, "model": "model-3"}):
            assert "ix_unit_labels_" in (text := plan(services, team, question)), text


def main() -> None:
    print(f"| database | units asked for | p50, ms | p99, ms (bound {BOUND_MS:.0f}) | HTTP p50, ms | HTTP p99, ms |")
    print("|---|---|---|---|---|---|")
    measure("SQLite", "")
    name = f"unitatlas_bench_{uuid.uuid4().hex[:12]}"
    try:
        measure("PostgreSQL", servers.create_database(name))
    finally:
        servers.drop_database(name)


if __name__ == "__main__":
    main()
