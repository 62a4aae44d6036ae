"""What a worker tells of itself."""

from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import torch

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.quotas.tables import WorkerTime
from service.settings import Settings
from tests.workers.runner.conftest import Queue, team_of
from tests.workers.runner.test_executing import run_all
from workers.runner.executing import Process
from workers.runner.process import load_of


def test_it_counts_its_shards(process: Process, queue: Queue) -> None:
    assert load_of(process).shards == {}
    queue(count=10, shards=3)
    run_all(process)
    assert load_of(process) == ("auto", {"squares": 1 + 3 + 3}, None, None)


def test_shards_that_fail_are_not_counted(process: Process, queue: Queue) -> None:
    queue(shards=2, misbehave="invalid")
    run_all(process)
    assert load_of(process).shards == {"squares": 1}


def test_it_tells_of_its_gpu(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    cuda = SimpleNamespace(mem_get_info=lambda device: asked.append(device) or (3 * 2**30, 2**34))
    monkeypatch.setattr(torch, "cuda", cuda)
    settings = Settings(device="cuda:1")
    load = load_of(Process(settings, sessions, ArtifactStore(settings.artifact_dir), {}))
    assert (load.gpu_used_bytes, load.gpu_total_bytes, asked) == (2**34 - 3 * 2**30, 2**34, ["cuda:1"])


def test_time_counts_for_the_team_whatever_came_of_it(process: Process, queue: Queue, sessions: Sessions) -> None:
    def spent() -> list[float]:
        with sessions() as session:
            return list(session.scalars(sa.select(WorkerTime.seconds).where(WorkerTime.team_id == team_of(sessions))))

    queue(shards=2, seconds=0.05)
    run_all(process)
    assert len(spent()) == 1 + 2 + 2
    assert sum(seconds >= 0.05 for seconds in spent()) >= 2
    queue(shards=1, misbehave="invalid")
    queue(shards=1, misbehave="stumble")
    run_all(process)
    assert len(spent()) == 5 + 2 + 2
