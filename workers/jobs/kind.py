"""What a kind of job is to the runner: it plans stages, runs shards, and merges their results."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.settings import Settings


@dataclass(frozen=True)
class ShardPlan:
    """A shard to come."""

    payload: dict[str, Any]
    weight: int
    """Its share of the stage's progress, in the stage's unit (images, units, ...)."""


@dataclass(frozen=True)
class StagePlan:
    """A stage to come, of at least one shard."""

    name: str
    unit: str
    shards: list[ShardPlan]


@dataclass(frozen=True)
class FinishedStage:
    """A stage whose shards are all done; payloads and results are in shard order."""

    name: str
    payloads: list[dict[str, Any]]
    results: list[dict[str, Any]]


@dataclass(frozen=True)
class JobView:
    """What a kind may know of its job."""

    id: uuid.UUID
    team_id: uuid.UUID
    kind: str
    params: dict[str, Any]
    model_id: uuid.UUID | None
    dataset_id: uuid.UUID | None


class Stopped(Exception):
    """The shard must end now; what it computed is not wanted."""


class ShardLost(Stopped):
    """The shard belongs to another worker, because this one's lease ran out."""


class Canceled(Stopped):
    """The job was cancelled or has ended."""


class WorkContext(Protocol):
    """What any work may touch."""

    @property
    def job(self) -> JobView:
        """The job that is worked on, or what stands for it."""

    @property
    def settings(self) -> Settings:
        """The worker's settings, with the device it computes on in place of `auto`."""

    @property
    def sessions(self) -> Sessions:
        """Sessions, for reading."""

    @property
    def store(self) -> ArtifactStore:
        """Where artifacts' bytes lie."""


class ShardContext(WorkContext, Protocol):
    """What `JobKind.run` may touch."""

    @property
    def stage(self) -> str:
        """Name of the shard's stage."""

    @property
    def index(self) -> int:
        """Position of the shard in its stage, from 0."""

    @property
    def payload(self) -> dict[str, Any]:
        """What the plan gave to this shard."""

    @property
    def attempt(self) -> int:
        """Grows with each claim of the shard; to be put into the names of scratch files."""

    @property
    def scratch(self) -> Path:
        """A directory that all workers of the job share and that is removed after the job's end."""

    def check(self) -> None:
        """Raise ShardLost or Canceled where the shard must end; to be called between batches."""


class JobKind(Protocol):
    """One kind of job; an UnitAtlasError that it raises fails the job, any other error is tried again."""

    @property
    def name(self) -> str:
        """As in the job's `kind`."""

    @property
    def version(self) -> int:
        """Version of the code that the figures depend on; part of the fingerprint."""

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """The stage after the finished ones, None when only `merge` is left; runs in the commit's transaction."""

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Do the shard's work and return its result, small enough for a database row."""

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write the rows that become visible as the job succeeds, and return the job's summary.

        `context` is that of the job's last shard; what takes time has been done in shards before.
        """
