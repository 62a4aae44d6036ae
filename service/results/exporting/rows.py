"""Rows as they are exported: columns with their types, and batches that are made as they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.jobs.tables import Job

Row = Sequence[Any]
JSON = object
"""The type of a column of lists and objects, which CSV and Parquet hold as JSON text."""

PLACE: Mapping[str, type] = {"model": str, "layer": str, "unit": int}
CELLS_IN_BATCH = 16_384


@dataclass(frozen=True)
class RowTable:
    """Columns with their types, any of which may be null, and rows in batches that are made as they are asked for."""

    columns: Mapping[str, type]
    batches: Iterator[Sequence[Row]]


@dataclass(frozen=True)
class Subject:
    """A succeeded job, what it was about, and where what it found is read."""

    job: Job
    model: str
    dataset: str | None
    sessions: Sessions
    store: ArtifactStore

    @property
    def summary(self) -> Mapping[str, Any]:
        """The job's figures."""
        return self.job.summary or {}
