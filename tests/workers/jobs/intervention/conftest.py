"""A generator that draws squares, and what an intervention left, read back from the database and the artifacts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from PIL import Image

from service.catalog.tables import Concept, Layer
from service.results.interventions.tables import (
    EditedPicture,
    InsertionContext,
    Intervention,
    MeasuredUnit,
    PixelChange,
)


@dataclass
class Found:
    """What an intervention left of one layer; concepts are names."""

    row: Intervention
    target: str | None
    changes: dict[tuple[str, int, str], PixelChange]
    """By order, size and concept."""
    order: list[tuple[str, int, str]]
    units: dict[int, MeasuredUnit]
    contexts: dict[str, InsertionContext]
    edited: list[EditedPicture]
    pairs: list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small networks gain nothing from several, which wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def drawing(driver: Any) -> Any:
    """A driver with the generator."""
    given = {"latent": [4], "range": [0, 1]}
    driver.done(driver.queue_model("drawer", "planted:drawer", kind="generator", input=given))
    return driver


@pytest.fixture
def read() -> Callable[..., dict[str, Found]]:
    """Read back what a job wrote, by layer."""

    def load(driver: Any, job: Any) -> dict[str, Found]:
        with driver.sessions() as session:
            concepts = {row.id: row.name for row in session.scalars(sa.select(Concept))} | {None: None}
            layers = {row.id: row.name for row in session.scalars(sa.select(Layer))}
            rows = session.scalars(sa.select(Intervention).where(Intervention.job_id == job.id)).all()
            return {layers[row.layer_id]: _load(driver, session, row, concepts) for row in rows}

    return load


def _load(driver: Any, session: Any, row: Intervention, concepts: dict[Any, Any]) -> Found:
    def of(table: Any, *order: Any) -> list[Any]:
        return list(session.scalars(sa.select(table).where(table.intervention_id == row.id).order_by(*order)))

    changes, edited = of(PixelChange, PixelChange.position), of(EditedPicture, EditedPicture.position)
    keyed = {(change.order, change.size, concepts[change.concept_id]): change for change in changes}
    return Found(
        row,
        concepts[row.concept_id],
        keyed,
        list(keyed),
        {unit.unit: unit for unit in of(MeasuredUnit)},
        {concepts[context.concept_id]: context for context in of(InsertionContext)},
        edited,
        [(_open(driver, picture.before), _open(driver, picture.after)) for picture in edited],
    )


def _open(driver: Any, digest: str) -> np.ndarray:
    with Image.open(driver.store.path(digest)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)
