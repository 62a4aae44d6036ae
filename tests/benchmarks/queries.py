"""How fast a team's questions are answered over a million unit labels and effects and 300,000 attacked images.

On both databases each question is asked with other names every time, once of the query functions and once of the whole
HTTP stack, at the default page of 50; `filling` says what is in the database.

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
from service.access.tables import Team
from service.context import Services
from service.database import make_engine, reading
from service.migrations import alembic_config
from service.pagination import Page, PageRequest
from service.results.attacks.image_queries import see_image
from service.results.attacks.schemas import AttacksQuerySchema
from service.results.attacks.search_queries import search_attacks
from service.results.attacks.tables import AttackedImage
from service.results.effects.explaining_queries import explain
from service.results.effects.search_queries import search_by_class
from service.results.effects.tables import UnitEffect
from service.results.effects.unit_queries import see_unit
from service.results.queries import details_of
from service.results.schemas import UnitsQuerySchema
from service.results.search_queries import search_units
from service.settings import Settings
from tests import servers
from tests.benchmarks.filling import (
    ATTACKED,
    CLASSES,
    LABELS,
    LAYERS,
    MODELS,
    NAMES,
    SHARED_NAMES,
    UNITS,
    concepts,
    fill,
    log_weights,
    rng,
)

REPEATS = 300
BOUND_MS = 10.0


def concept() -> str:
    """A concept's name, frequent or rare."""
    return concepts[rng.integers(SHARED_NAMES, NAMES)][1]


def class_name() -> str:
    """A class's name, which all models have."""
    return f"class {rng.integers(CLASSES)}"


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
    "by class, in ten models": lambda: {"class": class_name()},
    "by class and model": lambda: {"class": class_name(), "model": model()},
    "by class, model and layer": lambda: {"class": class_name(), "model": model(), "layer": layer()},
    "next page by class and model": lambda: {"class": class_name(), "model": model(), "next": True},
    "by class, model and concept": lambda: {"class": class_name(), "model": model(), "concept": concept()},
}


ATTACK_QUESTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "attacked images": dict,
    "attacked images by target": lambda: {"target": class_name()},
    "attacked images by source": lambda: {"source": class_name()},
    "attacked images by model, source and target": lambda: {
        "model": model(),
        "source": class_name(),
        "target": class_name(),
    },
    "attacked images, failed": lambda: {"outcome": "failed"},
    "attacked images by model and source, failed": lambda: {
        "model": model(),
        "source": class_name(),
        "outcome": "failed",
    },
    "next page of attacked images by source": lambda: {"source": class_name(), "next": True},
}


def page_request(path: str, question: dict[str, Any], cursor: str | None = None) -> PageRequest:
    """The question as the view would hand it on."""
    schema = UnitsQuerySchema() if path == "units" else AttacksQuerySchema()
    request: PageRequest = schema.load({**question, **({"cursor": cursor} if cursor else {})})
    return request


def search(path: str, session: Session, team: uuid.UUID, page: PageRequest) -> Page:
    """Search as the view does."""
    if path == "attacks":
        return search_attacks(session, team, page)
    return (search_units if page.filters["class_name"] is None else search_by_class)(session, team, page)


def ask_function(
    services: Services, team: uuid.UUID, path: str, question: dict[str, Any], cursor: str | None
) -> str | None:
    """Ask the query function; return the next page's cursor."""
    with reading(services.sessions) as session:
        return search(path, session, team, page_request(path, question, cursor)).next_cursor


def ask_http(client: FlaskClient, path: str, question: dict[str, Any], cursor: str | None) -> str | None:
    """Ask over HTTP; return the next page's cursor."""
    reply = client.get(f"/v1/{path}?{urlencode({**question, **({'cursor': cursor} if cursor else {})})}")
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
        seen = see_unit(session, team, model(), layer(), int(rng.integers(UNITS)), None)
        assert seen.found is not None
        details_of(session, team, seen.found)


def ask_unit_http(client: FlaskClient, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask for the page of one unit over HTTP."""
    assert client.get(f"/v1/models/{model()}/layers/{layer()}/units/{rng.integers(UNITS)}").status_code == 200


def ask_class(services: Services, team: uuid.UUID, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask the query function to explain a class."""
    wanted = {"model": model(), "layer": layer(), "job": None, "units": 10}
    with reading(services.sessions) as session:
        explain(session, team, class_name(), wanted)


def ask_class_http(client: FlaskClient, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask over HTTP to explain a class."""
    address = f"/v1/classes/{class_name()}/explanation?{urlencode({'model': model(), 'layer': layer()})}"
    assert client.get(address).status_code == 200


def ask_image(services: Services, team: uuid.UUID, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask the query function what is known of an image."""
    with reading(services.sessions) as session:
        see_image(session, team, f"{rng.integers(ATTACKED):064x}")


def ask_image_http(client: FlaskClient, _question: dict[str, Any], _cursor: str | None) -> None:
    """Ask over HTTP what is known of an image."""
    assert client.get(f"/v1/images/{rng.integers(ATTACKED):064x}").status_code == 200


def plan(services: Services, team: uuid.UUID, question: dict[str, Any]) -> str:
    """The database's plan for the search itself."""
    asked: list[tuple[str, Any]] = []
    with reading(services.sessions) as session:
        connection = session.connection()
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _u, text, values, *_: asked.append((text, values))
        )
        search("units", session, team, page_request("units", question))
        text, values = next((text, values) for text, values in asked if "sort_key_0" in text)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {text}", values))


@contextmanager
def filled(url: str) -> Iterator[tuple[Services, FlaskClient, uuid.UUID]]:
    """A service on a database with a million labels and effects."""
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


def count(services: Services, table: type[UnitEffect | AttackedImage]) -> int:
    """How many effects or attacked images were written."""
    with reading(services.sessions) as session:
        return session.scalars(sa.select(sa.func.count()).select_from(table)).one()


def measure(title: str, url: str) -> None:
    """Print a row for each question."""
    begin = time.perf_counter()
    with filled(url) as (services, client, team):
        labels, effects = MODELS * LAYERS * UNITS * LABELS, count(services, UnitEffect)
        written = f"{labels:,} labels, {effects:,} effects, {count(services, AttackedImage):,} attacked images written"
        print(f"<!-- {title}: {written} in {time.perf_counter() - begin:.0f} s -->", flush=True)
        asked: dict[str, tuple[Any, Any, Any]] = {
            name: (partial(ask_function, services, team, path), partial(ask_http, client, path), draw)
            for path, questions in (("units", QUESTIONS), ("attacks", ATTACK_QUESTIONS))
            for name, draw in questions.items()
        }
        asked["one unit"] = (partial(ask_unit, services, team), partial(ask_unit_http, client), dict)
        asked["a class explained"] = (partial(ask_class, services, team), partial(ask_class_http, client), dict)
        asked["an image"] = (partial(ask_image, services, team), partial(ask_image_http, client), dict)
        gc.collect()
        for name, (function, http, draw) in asked.items():
            median, slow = percentiles(function, draw)
            http_median, http_slow = percentiles(http, draw)
            print(f"| {title} | {name} | {median:.1f} | {slow:.1f} | {http_median:.1f} | {http_slow:.1f} |", flush=True)
        for question in ({"concept": frequent}, {"concept": frequent, "model": "model-3"}):
            assert "ix_unit_labels_" in (text := plan(services, team, question)), text
        for question in ({"class": "class 7"}, {"class": "class 7", "model": "model-3"}):
            assert "ix_unit_effects_search" in (text := plan(services, team, question)), text


def main() -> None:
    print(f"| database | asked for | p50, ms | p99, ms (bound {BOUND_MS:.0f}) | HTTP p50, ms | HTTP p99, ms |")
    print("|---|---|---|---|---|---|")
    servers.on_both(measure)


if __name__ == "__main__":
    main()
