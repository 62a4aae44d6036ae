"""One shard from claim to commit, with toy kinds, on both databases."""

import threading
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalog.tables import Concept
from service.database import Sessions, now
from service.jobs import queries as jobs
from service.jobs.tables import Event, Job, Shard
from tests.workers.runner.conftest import Queue, job_of, shards_of
from tests.workers.runner.toys import TOYS, Squares, sum_of_squares
from workers.jobs.kind import Canceled, ShardLost, StagePlan
from workers.runner import queries
from workers.runner.executing import Process, run_next
from workers.runner.heartbeat import Heartbeat

LEASE = timedelta(minutes=1)


def run_all(process: Process) -> int:
    """Run shards until none is claimable and return how many hints that took."""
    for count in range(1000):
        if not run_next(process, "worker", str(uuid.uuid4())):
            return count + 1
    raise AssertionError("shards without end")


def make_due(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(Shard).values(not_before=now(session)))


def claim(sessions: Sessions, job_id: uuid.UUID, owner: str = "worker") -> queries.Claim:
    with sessions.begin() as session:
        found = queries.claim(session, job_id, owner, "task", LEASE)
    assert found is not None
    return found


def event_types(sessions: Sessions, job_id: uuid.UUID) -> list[str]:
    with sessions() as session:
        return list(session.scalars(sa.select(Event.type).where(Event.job_id == job_id).order_by(Event.sequence)))


@pytest.mark.parametrize(("count", "shards"), [(1, 1), (10, 3), (50, 7)])
def test_a_job_runs_through_its_stages_to_its_summary(
    process: Process, sessions: Sessions, queue: Queue, count: int, shards: int
) -> None:
    job_id = queue(count, shards)
    run_all(process)
    job = job_of(sessions, job_id)
    assert (job.state, job.summary, job.error) == ("succeeded", {"sum": sum_of_squares(count)}, None)
    assert (job.stage, job.progress_done, job.progress_total) == ("add", shards, shards)
    assert job.started_at is not None and job.finished_at is not None
    assert [shard.state for shard in shards_of(sessions, job_id)] == ["done"] * (1 + 2 * shards)
    assert {shard.attempt for shard in shards_of(sessions, job_id)} == {1}


def test_events_tell_the_job_and_raise_its_version(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(4, 2)
    run_all(process)
    types = event_types(sessions, job_id)
    stage = ["progress", "progress"]
    assert types == ["queued", "running", "progress", "stage", *stage, "stage", *stage, "succeeded"]
    assert job_of(sessions, job_id).version == len(types)


def test_progress_counts_in_the_unit_of_the_stage(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 3)
    opened = run_next(process, "worker", "task")
    assert [shard.id for shard in shards_of(sessions, job_id)[1:]] == opened
    run_next(process, "worker", "task")
    job = job_of(sessions, job_id)
    assert (job.stage, job.progress_done, job.progress_total, job.progress_unit) == ("square", 4, 10, "numbers")


def test_a_worker_that_leaves_claimable_shards_names_one(process: Process, queue: Queue) -> None:
    queue(10, 3)
    assert len(run_next(process, "worker", "task")) == 3
    assert len(run_next(process, "worker", "task")) == 1


def test_nothing_to_do(process: Process) -> None:
    assert run_next(process, "worker", "task") == []


def test_higher_priority_goes_first_whatever_was_hinted(process: Process, sessions: Sessions, queue: Queue) -> None:
    low, high, middle = queue(4, 2), queue(4, 2, priority=5), queue(4, 2, priority=1)
    order = []
    while run_next(process, "worker", "task") or len(order) < 3:
        done = [job_id for job_id in (low, high, middle) if job_of(sessions, job_id).state == "succeeded"]
        order += [job_id for job_id in done if job_id not in order]
    assert order == [high, middle, low]


def test_an_error_of_ours_fails_the_job_with_its_problem(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 3, misbehave="invalid")
    run_all(process)
    job = job_of(sessions, job_id)
    assert job.state == "failed" and job.error is not None and job.error["status"] == 422
    assert job.error["errors"] == [{"pointer": "/count", "detail": "squares need numbers"}]
    assert Counter(shard.state for shard in shards_of(sessions, job_id)) == {"done": 1, "failed": 1, "canceled": 2}


def test_an_unexpected_error_is_tried_again(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 2, misbehave="stumble")
    run_all(process)
    assert [shard.state for shard in shards_of(sessions, job_id)] == ["done", "queued", "queued"]
    assert all(shard.not_before > job_of(sessions, job_id).created_at for shard in shards_of(sessions, job_id)[1:])
    make_due(sessions)
    run_all(process)
    assert job_of(sessions, job_id).summary == {"sum": sum_of_squares(10)}
    assert [shard.attempt for shard in shards_of(sessions, job_id)] == [1, 2, 2, 1, 1]


def test_an_error_of_every_attempt_fails_the_job_without_a_traceback(
    process: Process, sessions: Sessions, queue: Queue
) -> None:
    job_id = queue(10, 1, misbehave="break")
    for _ in range(process.settings.max_attempts):
        run_all(process)
        make_due(sessions)
    job = job_of(sessions, job_id)
    assert job.state == "failed" and job.error is not None and job.error["type"] == "/problems/shard-failed"
    assert "secret" not in str(job.error) and "Traceback" not in str(job.error)
    assert shards_of(sessions, job_id)[1].attempt == process.settings.max_attempts


def test_the_pause_doubles_up_to_a_limit(process: Process) -> None:
    pauses = [queries._pause(process.settings, attempt).total_seconds() for attempt in (1, 2, 3, 2000)]
    assert pauses == [5, 10, 20, 320]


def test_an_error_in_merge_shows_nothing_and_is_tried_again(process: Process, sessions: Sessions, queue: Queue) -> None:
    class Merging(Squares):
        merges = 0

        def merge(self, session, context, finished):
            summary = super().merge(session, context, finished)
            session.flush()
            Merging.merges += 1
            if Merging.merges == 1:
                raise RuntimeError("after rows were written")
            return summary

    process = replace(process, kinds={"squares": Merging()})
    job_id = queue(10, 2)
    run_all(process)
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Concept)) == 0
    assert shards_of(sessions, job_id)[-1].state == "queued"
    make_due(sessions)
    run_all(process)
    assert job_of(sessions, job_id).summary == {"sum": sum_of_squares(10)}
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Concept)) == 1


def test_a_stage_without_shards_fails_instead_of_waiting_for_ever(
    process: Process, sessions: Sessions, queue: Queue
) -> None:
    class Empty(Squares):
        def plan(self, session, job, finished):
            return StagePlan("void", "shards", [])

    job_id = queue()
    for _ in range(process.settings.max_attempts):
        run_all(replace(process, kinds={"squares": Empty()}))
        make_due(sessions)
    assert job_of(sessions, job_id).state == "failed"


def test_retry_goes_on_from_the_missing_shards(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 3, misbehave="invalid")
    run_all(process)
    with sessions.begin() as session:
        job = session.get_one(Job, job_id)
        job.params = {"count": 10, "shards": 3}
        jobs.retry(session, job)
    run_all(process)
    job = job_of(sessions, job_id)
    assert (job.state, job.attempt, job.summary) == ("succeeded", 2, {"sum": sum_of_squares(10)})
    assert shards_of(sessions, job_id)[0].attempt == 1  # the preparation was not repeated
    assert shards_of(sessions, job_id)[1].attempt == 2


def test_a_retry_may_try_as_often_again(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 1, misbehave="break")
    for _ in range(process.settings.max_attempts):
        run_all(process)
        make_due(sessions)
    with sessions.begin() as session:
        jobs.retry(session, session.get_one(Job, job_id))
    run_all(process)
    assert job_of(sessions, job_id).state == "running"


def test_a_cancelled_job_ends_when_its_workers_stop(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_id = queue(10, 3)
    run_next(process, "worker", "task")
    held = claim(sessions, job_id)
    with sessions.begin() as session:
        jobs.cancel(session, session.get_one(Job, job_id))
    assert job_of(sessions, job_id).state == "cancelling"
    with sessions.begin() as session:
        assert queries.heartbeat(session, held, LEASE) is queries.Standing.CANCELED
    with pytest.raises(Canceled), sessions.begin() as session:
        queries.commit(session, held, TOYS["squares"], held, {}, 0.0)
    with sessions.begin() as session:
        queries.give_up(session, held)
    assert job_of(sessions, job_id).state == "canceled"
    assert Counter(shard.state for shard in shards_of(sessions, job_id)) == {"done": 1, "canceled": 3}
    assert event_types(sessions, job_id)[-2:] == ["cancelling", "canceled"]


def test_a_lost_shard_cannot_be_committed_given_up_or_failed(sessions: Sessions, queue: Queue) -> None:
    job_id = queue()
    lost = claim(sessions, job_id, "first")
    with sessions.begin() as session:
        session.execute(sa.update(Shard).values(state="queued"))
    won = claim(sessions, job_id, "second")
    assert (lost.attempt, won.attempt) == (1, 2)
    kind = TOYS["squares"]
    for act in (
        lambda session: queries.commit(session, lost, kind, lost, {}, 0.0),
        lambda session: queries.give_up(session, lost),
        lambda session: queries.fail(session, lost, RuntimeError()),
    ):
        with pytest.raises(ShardLost), sessions.begin() as session:
            act(session)
    with sessions.begin() as session:
        assert queries.heartbeat(session, lost, LEASE) is queries.Standing.LOST
        assert queries.heartbeat(session, won, LEASE) is queries.Standing.HELD
        queries.commit(session, won, kind, won, {}, 0.0)
    with pytest.raises(ShardLost), sessions.begin() as session:
        queries.commit(session, won, kind, won, {}, 0.0)  # also a repeated commit, as after a broken connection


def test_the_heartbeat_extends_the_lease_and_hears_of_the_end(
    process: Process, sessions: Sessions, queue: Queue
) -> None:
    held = claim(sessions, queue())
    settings = replace(process.settings, lease_seconds=60, grace_seconds=0.1)
    with sessions.begin() as session:
        session.execute(sa.update(Shard).values(lease_until=now(session)))
    with Heartbeat(sessions, held, settings) as heartbeat:
        created_at = job_of(sessions, held.job.id).created_at
        wait_until(lambda: shards_of(sessions, held.job.id)[0].lease_until > created_at + LEASE / 2)
        heartbeat.check()
        with sessions.begin() as session:
            jobs.cancel(session, session.get_one(Job, held.job.id))
        with pytest.raises(Canceled):
            wait_until(lambda: heartbeat.check())


def wait_until(condition) -> None:
    pause = threading.Event()
    for _ in range(500):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it never came")


def test_no_shard_is_claimed_twice_by_racing_workers(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_ids = [queue(40, 10), queue(40, 10)]
    for _ in job_ids:
        run_next(process, "worker", "task")
    claimed: list[tuple[uuid.UUID, int]] = []
    start = threading.Barrier(6)

    def race(name: str) -> None:
        start.wait()
        while found := _claim_any(sessions, name):
            claimed.append((found.shard_id, found.attempt))

    run_threads(race, 6)
    assert len(claimed) == len(set(claimed)) == 20


def _claim_any(sessions: Sessions, owner: str) -> queries.Claim | None:
    while True:
        with sessions.begin() as session:
            best = queries.find_claimable(session)
            if best is None:
                return None
            if found := queries.claim(session, best.job_id, owner, "task", LEASE):
                return found


def test_racing_workers_share_jobs_and_finish_each_once(process: Process, sessions: Sessions, queue: Queue) -> None:
    job_ids = [queue(30, 6) for _ in range(3)]

    def all_succeeded() -> bool:
        return all(job_of(sessions, job_id).state == "succeeded" for job_id in job_ids)

    def race(name: str) -> None:
        for _ in range(500):
            if run_next(process, name, "task") == [] and all_succeeded():
                return
        raise AssertionError("shards without end")

    run_threads(race, 4)
    for job_id in job_ids:
        assert job_of(sessions, job_id).summary == {"sum": sum_of_squares(30)}
        assert Counter(event_types(sessions, job_id))["progress"] == 13
        assert {shard.attempt for shard in shards_of(sessions, job_id)} == {1}


def run_threads(work, count: int) -> None:
    errors: list[BaseException] = []

    def guarded(name: str) -> None:
        try:
            work(name)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(f"worker{n}",)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
