"""Real workers and relays as processes: alone (SQLite, files) and as a team (PostgreSQL, Redis)."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import redis
import sqlalchemy as sa

from service.broker import make_celery, publish
from service.catalog.tables import Concept
from service.database import Sessions
from service.jobs import queries as jobs
from service.jobs.tables import TERMINAL_STATES, Event, Job
from service.settings import Settings
from tests.workers.runner.conftest import Queue, job_of, shards_of
from tests.workers.runner.toys import sum_of_squares

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("toy_worker.py")
PATIENCE = 200.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=["alone", "team"])
def settings(request: pytest.FixtureRequest) -> Settings:
    if request.param == "alone":
        found = request.getfixturevalue("sqlite_settings")
    else:
        found = replace(
            request.getfixturevalue("postgres_settings"), broker_url=request.getfixturevalue("redis_broker")
        )
    hurried = {"lease_seconds": 4.0, "grace_seconds": 1.0, "retry_seconds": 0.1, "relay_seconds": 0.2}
    return replace(found, device="cpu", **hurried)


class Cluster:
    """Workers and relays as processes that can be killed and started again."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        given = {f"UNITATLAS_{f.name.upper()}": getattr(settings, f.name) for f in fields(settings)}
        self.environment = os.environ | {name: str(value) for name, value in given.items() if value is not None}
        self.environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.logs = logs
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names:
            arguments = ["relay"] if name.startswith("relay") else ["run", "--name", name]
            with (self.logs / f"{name}.log").open("ab") as log:
                command = [sys.executable, str(SCRIPT), *arguments]
                self.processes[name] = subprocess.Popen(
                    command, env=self.environment, cwd=self.logs, stdout=log, stderr=log
                )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(settings, tmp_path)
    yield cluster
    for name in list(cluster.processes):
        cluster.kill(name)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def state_of(sessions: Sessions, job_id: UUID) -> str:
    return job_of(sessions, job_id).state


def wait_for_end(sessions: Sessions, *job_ids: UUID) -> list[str]:
    wait_until(lambda: all(state_of(sessions, job_id) in TERMINAL_STATES for job_id in job_ids))
    return [state_of(sessions, job_id) for job_id in job_ids]


def wait_for_stage(sessions: Sessions, job_id: UUID, stage: str = "square") -> None:
    wait_until(lambda: job_of(sessions, job_id).stage == stage)


def assert_each_done_once(sessions: Sessions, job_ids: list[UUID], count: int, shards: int) -> None:
    for job_id in job_ids:
        job = job_of(sessions, job_id)
        assert (job.state, job.summary) == ("succeeded", {"sum": sum_of_squares(count)})
        assert [shard.state for shard in shards_of(sessions, job_id)] == ["done"] * (1 + 2 * shards)
        with sessions() as session:
            types = Counter(session.scalars(sa.select(Event.type).where(Event.job_id == job_id)))
            shown = session.scalar(sa.select(sa.func.count()).where(Concept.name == str(job_id)))
        assert (types["progress"], types["stage"], types["succeeded"], shown) == (1 + 2 * shards, 2, 1, 1)


def test_kill_9_of_anything_and_lost_hints_lose_nothing(
    settings: Settings, sessions: Sessions, queue: Queue, cluster: Cluster
) -> None:
    cluster.environment |= {"TOY_LOSSY": "1", "UNITATLAS_MAX_ATTEMPTS": "20"}
    names = ["worker1", "worker2", "worker3", "relay"]
    cluster.start(*names)
    job_ids = [queue(30, 6, seconds=0.3) for _ in range(5)]
    for job_id in job_ids[::2]:
        publish(make_celery(settings), [shards_of(sessions, job_id)[0].id])
    wait_for_stage(sessions, job_ids[-1])
    chance = random.Random(0)
    for _ in range(5):
        time.sleep(1.0)
        name = chance.choice(names)
        cluster.kill(name)
        cluster.start(name)
    wait_for_end(sessions, *job_ids)
    assert_each_done_once(sessions, job_ids, 30, 6)


def test_an_emptied_broker_and_a_database_that_drops_everybody_lose_nothing(
    settings: Settings, sessions: Sessions, queue: Queue, cluster: Cluster
) -> None:
    cluster.start("worker1", "worker2", "relay")
    job_ids = [queue(30, 6, seconds=0.4) for _ in range(4)]
    wait_for_stage(sessions, job_ids[0])
    for _ in range(3):
        empty_broker(settings)
        drop_connections(settings)
        time.sleep(0.5)
    wait_for_end(sessions, *job_ids)
    assert_each_done_once(sessions, job_ids, 30, 6)


def empty_broker(settings: Settings) -> None:
    if settings.broker_url:
        redis.Redis.from_url(settings.broker_url).flushdb()
    else:
        for path in (settings.data_dir / "broker").glob("*/*"):
            path.unlink(missing_ok=True)


def drop_connections(settings: Settings) -> None:
    if settings.database_url:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid != pg_backend_pid()"
            )


def test_every_way_to_end_frees_the_workers(sessions: Sessions, queue: Queue, cluster: Cluster) -> None:
    cluster.environment |= {"UNITATLAS_MAX_ATTEMPTS": "2"}
    cluster.start("worker1", "worker2", "relay")
    checks, hangs = queue(4, 1, seconds=600), queue(4, 1, misbehave="hang")
    for job_id in (checks, hangs):
        wait_until(lambda job_id=job_id: [shard.state for shard in shards_of(sessions, job_id)] == ["done", "running"])
        cancel(sessions, job_id)
    assert wait_for_end(sessions, checks, hangs) == ["canceled", "canceled"]

    poison, sound = queue(4, 1, misbehave="exit"), queue(10, 4, seconds=0.2)
    assert wait_for_end(sessions, poison, sound) == ["failed", "succeeded"]
    assert job_of(sessions, poison).error["type"] == "/problems/worker-lost"
    assert shards_of(sessions, poison)[1].attempt == 2

    late = queue(4, 1, misbehave="hang", lifetime=2)
    low = queue(10, 8, seconds=0.3)
    wait_for_stage(sessions, low)
    high = queue(10, 3, priority=1)
    assert wait_for_end(sessions, late, low, high) == ["expired", "succeeded", "succeeded"]
    assert job_of(sessions, high).finished_at < job_of(sessions, low).finished_at

    left = queue(10, 6, seconds=0.5)
    wait_for_stage(sessions, left)
    cluster.processes["worker1"].send_signal(signal.SIGTERM)  # lets its shard end, and leaves the rest to others
    assert wait_for_end(sessions, left) == ["succeeded"]
    assert cluster.processes["worker1"].wait(timeout=PATIENCE) == 0
    assert {shard.attempt for shard in shards_of(sessions, left)} == {1}


def test_a_worker_told_to_end_while_it_takes_a_shard_ends_and_does_not_lose_it(
    sessions: Sessions, queue: Queue, cluster: Cluster
) -> None:
    cluster.environment |= {"TOY_INTERRUPTED": "1"}
    job_id = queue(4, 1)
    cluster.start("worker1", "relay")
    assert cluster.processes["worker1"].wait(timeout=PATIENCE) == 0
    assert shards_of(sessions, job_id)[0].state in ("done", "queued")


def test_a_worker_that_hangs_when_told_to_end_is_killed_with_its_shard(
    sessions: Sessions, queue: Queue, cluster: Cluster
) -> None:
    cluster.environment |= {"TOY_STUCK": "1"}
    job_id = queue(4, 1, misbehave="hang")
    cluster.start("worker1", "relay")
    wait_for_stage(sessions, job_id)
    wait_until(lambda: shards_of(sessions, job_id)[1].state == "running")
    worker = cluster.processes["worker1"]
    spawned = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE) == 1
    assert "on_cold_shutdown" in (cluster.logs / "worker1.log").read_text()  # where it hung
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in spawned))


def cancel(sessions: Sessions, job_id: UUID) -> None:
    with sessions.begin() as session:
        jobs.cancel(session, session.get_one(Job, job_id))
