"""A team's jobs of the toy kind, and worker processes that the test is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from service.access.tables import Team
from service.artifacts.store import ArtifactStore
from service.database import Sessions, new_id, now
from service.jobs.fingerprints import ANALYSIS_VERSIONS
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job, Shard
from service.settings import Settings
from tests.workers.runner.toys import TOYS
from workers.runner.executing import Process

Queue = Callable[..., UUID]


def team_of(sessions: Sessions) -> UUID:
    with sessions.begin() as session:
        team = session.scalar(sa.select(Team))
        if team is None:
            team = Team(id=new_id(), name="toys", created_at=now(session))
            session.add(team)
        return team.id


@pytest.fixture
def queue(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Queues a toy job and returns its id."""
    monkeypatch.setitem(ANALYSIS_VERSIONS, "squares", 1)
    team_id = team_of(sessions)

    def queue(
        count: int = 10, shards: int = 3, priority: int = 0, lifetime: float | None = None, **params: Any
    ) -> UUID:
        request = JobRequest(
            team_id=team_id,
            kind="squares",
            params={"count": count, "shards": shards, **params},
            priority=priority,
            lifetime=None if lifetime is None else timedelta(seconds=lifetime),
            shared=False,
        )
        with sessions.begin() as session:
            return submit(session, request, Settings()).job.id

    return queue


@pytest.fixture
def process(settings: Settings, sessions: Sessions) -> Process:
    return Process(settings, sessions, ArtifactStore(settings.artifact_dir), TOYS)


def job_of(sessions: Sessions, job_id: UUID) -> Job:
    with sessions() as session:
        return session.get_one(Job, job_id)


def shards_of(sessions: Sessions, job_id: UUID) -> list[Shard]:
    with sessions() as session:
        statement = sa.select(Shard).where(Shard.job_id == job_id).order_by(Shard.stage_position, Shard.index)
        return list(session.scalars(statement))
