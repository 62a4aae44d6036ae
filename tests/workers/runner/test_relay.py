"""The relay's duties, each alone, on both databases."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy as sa

from service.access.tables import Team
from service.broker import count_hints, make_celery
from service.database import Sessions, now
from service.health.queries import LEASE_EXPIRIES, read_tallies
from service.jobs import queries as jobs
from service.jobs.tables import IdempotentReply, Job, Shard, Worker
from service.settings import Settings
from tests.workers.runner.conftest import Queue, job_of, shards_of
from tests.workers.runner.test_executing import claim, make_due, run_all
from tests.workers.runner.toys import sum_of_squares
from workers.runner.executing import Process, run_next
from workers.runner.relay import Relay


@pytest.fixture
def relay(settings: Settings, sessions: Sessions) -> Relay:
    relay = Relay(settings, sessions, make_celery(settings))
    relay.celery.control.revoke = Mock()
    return relay


def terminated(relay: Relay) -> list[tuple[Any, ...]]:
    return [(call.args[0], call.kwargs["destination"]) for call in relay.celery.control.revoke.call_args_list]


def set_all(sessions: Sessions, table: type[Job] | type[Shard], **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(table).values(**values))


def ago(sessions: Sessions, **past: float) -> Any:
    with sessions() as session:
        return now(session) - timedelta(**past)


def test_a_lease_that_ran_out_frees_the_shard_and_ends_its_task(relay: Relay, sessions: Sessions, queue: Queue) -> None:
    job_id = queue()
    claim(sessions, job_id, "gone@host")
    relay.round()
    assert shards_of(sessions, job_id)[0].state == "running"
    set_all(sessions, Shard, lease_until=ago(sessions, seconds=1))
    relay.round()
    shard = shards_of(sessions, job_id)[0]
    assert (shard.state, shard.attempt, shard.lease_owner, shard.task_id) == ("queued", 1, None, None)
    assert shard.not_before > ago(sessions, seconds=0)
    assert terminated(relay) == [("task", ["gone@host"])]
    with sessions() as session:
        assert read_tallies(session)[LEASE_EXPIRIES] == 1


def test_a_shard_that_loses_every_worker_fails_its_job(relay: Relay, sessions: Sessions, queue: Queue) -> None:
    job_id = queue()
    for _ in range(relay.settings.max_attempts):
        claim(sessions, job_id)
        set_all(sessions, Shard, lease_until=ago(sessions, seconds=1))
        relay.round()
        make_due(sessions)
    job = job_of(sessions, job_id)
    assert job.state == "failed" and job.error is not None and job.error["type"] == "/problems/worker-lost"
    assert [shard.state for shard in shards_of(sessions, job_id)] == ["failed"]


def test_a_deadline_ends_a_job_that_waits_or_runs(relay: Relay, sessions: Sessions, queue: Queue) -> None:
    waits, runs, has_time = queue(lifetime=60), queue(lifetime=60), queue(lifetime=3600)
    claim(sessions, runs)
    with sessions.begin() as session:
        overdue = sa.update(Job).where(Job.id.in_([waits, runs]))
        session.execute(overdue.values(deadline_at=now(session) - timedelta(seconds=1)))
    relay.round()
    assert [job_of(sessions, job_id).state for job_id in (waits, runs, has_time)] == ["expired", "expired", "queued"]
    assert job_of(sessions, runs).error["type"] == "/problems/deadline-passed"


@pytest.mark.parametrize("state", ["cancelling", "expired"])
def test_a_worker_that_overstays_is_ended_after_the_grace(
    relay: Relay, sessions: Sessions, queue: Queue, state: str
) -> None:
    job_id = queue()
    claim(sessions, job_id, "stuck@host")
    with sessions.begin() as session:
        job = session.get_one(Job, job_id)
        jobs.cancel(session, job) if state == "cancelling" else jobs.finish_job(session, job, state)
    relay.round()
    assert job_of(sessions, job_id).state == state
    assert shards_of(sessions, job_id)[0].state == "running" and not terminated(relay)
    column = "cancel_requested_at" if state == "cancelling" else "finished_at"
    set_all(sessions, Job, **{column: ago(sessions, seconds=relay.settings.grace_seconds + 1)})
    relay.round()
    assert job_of(sessions, job_id).state == {"cancelling": "canceled"}.get(state, state)
    assert shards_of(sessions, job_id)[0].state == "canceled"
    assert terminated(relay) == [("task", ["stuck@host"])]
    relay.round()
    assert len(terminated(relay)) == 1


def test_hints_are_repeated_until_heard_and_never_pile_up(relay: Relay, sessions: Sessions, queue: Queue) -> None:
    for _ in range(70):
        queue()
    relay.publish()
    assert count_hints(relay.celery) == 0  # just published by who queued them
    set_all(sessions, Shard, published_at=None)
    relay.publish()
    assert count_hints(relay.celery) == 64
    set_all(sessions, Shard, published_at=ago(sessions, seconds=11))
    relay.publish()
    assert count_hints(relay.celery) == 64


def test_a_shard_that_pauses_gets_no_hint(relay: Relay, sessions: Sessions, queue: Queue) -> None:
    queue()
    set_all(sessions, Shard, published_at=None, not_before=ago(sessions, seconds=-60))
    relay.publish()
    assert count_hints(relay.celery) == 0


def test_scratch_goes_with_success(relay: Relay, process: Process, sessions: Sessions, queue: Queue) -> None:
    done, waiting = queue(), queue()
    run_all(process)
    other = queue()
    run_next(process, "worker", "task")
    (process.settings.scratch_dir / str(uuid.uuid4())).mkdir()
    relay.round()
    assert [path.name for path in process.settings.scratch_dir.iterdir()] == [str(other)]
    assert job_of(sessions, done).state == job_of(sessions, waiting).state == "succeeded"


def test_scratch_of_a_failed_job_is_kept_a_day_for_a_retry_which_then_begins_anew(
    relay: Relay, process: Process, sessions: Sessions, queue: Queue
) -> None:
    job_id = queue(10, 3, misbehave="invalid")
    run_all(process)
    scratch = process.settings.scratch_dir / str(job_id)
    relay.round()
    assert scratch.is_dir()
    set_all(sessions, Job, finished_at=ago(sessions, hours=25), params={"count": 10, "shards": 2})
    relay.round()
    assert not scratch.exists()
    with sessions.begin() as session:
        jobs.retry(session, session.get_one(Job, job_id))
    run_all(process)
    assert job_of(sessions, job_id).summary == {"sum": sum_of_squares(10)}
    assert [shard.attempt for shard in shards_of(sessions, job_id)] == [2, 1, 1, 1, 1]


def test_old_replies_and_lost_workers_are_forgotten(relay: Relay, sessions: Sessions, queue: Queue) -> None:
    job_id = queue()
    with sessions.begin() as session:
        team_id, time = session.scalars(sa.select(Team.id)).one(), now(session)
        for hours in (1, 25):
            reply = {"key": str(hours), "request_digest": "0", "job_id": job_id, "status": 202}
            session.add(IdempotentReply(team_id=team_id, created_at=time - timedelta(hours=hours), **reply))
            seen_at = time - timedelta(minutes=hours)
            session.add(Worker(name=str(hours), device="cpu", shards={}, started_at=seen_at, seen_at=seen_at))
    relay.prune()
    with sessions() as session:
        assert list(session.scalars(sa.select(IdempotentReply.key))) == ["1"]
        assert list(session.scalars(sa.select(Worker.name))) == ["1"]


def test_a_duty_that_fails_keeps_no_other_from_being_done(
    relay: Relay, sessions: Sessions, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(relay.settings, broker_url="redis://127.0.0.1:1/0")
    job_id = queue(lifetime=60)
    set_all(sessions, Job, deadline_at=ago(sessions, seconds=1))
    claim_free = Relay(settings, sessions, make_celery(settings))
    claim_free.round()
    assert job_of(sessions, job_id).state == "expired"
    assert "try again to publish" in caplog.text


def test_a_reaped_shard_is_another_workers(relay: Relay, process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 2)
    claim(sessions, job_id, "gone@host")
    set_all(sessions, Shard, lease_until=ago(sessions, seconds=1))
    relay.round()
    make_due(sessions)
    run_all(process)
    assert job_of(sessions, job_id).summary == {"sum": sum_of_squares(10)}
    assert shards_of(sessions, job_id)[0].attempt == 2
