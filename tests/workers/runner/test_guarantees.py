"""Whatever workers, relays, clients and the clock do in whatever order: nothing is lost and nothing done twice."""

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from service.catalog.tables import Concept
from service.database import Sessions
from service.errors import Invalid, ShardFailed
from service.jobs import queries as jobs
from service.jobs.tables import TERMINAL_STATES, Event, Job, Shard, Stage
from service.settings import Settings
from tests.workers.runner.conftest import Queue
from tests.workers.runner.toys import TOYS, sum_of_squares
from workers.jobs.kind import ShardLost, Stopped
from workers.runner import queries, relay_queries
from workers.runner.queries import Claim, Standing
from workers.runner.relay import Relay

COUNT, SHARDS = 9, 3
LEASE = timedelta(seconds=60)
WORKERS = st.integers(0, 2)


@dataclass
class Clock:
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self, _: Session) -> datetime:
        return self.time


class Runner(RuleBasedStateMachine):
    """Three workers, a relay and a client at one job, as a model of what each believes beside what is stored."""

    def __init__(self, settings: Settings, sessions: Sessions, queue: Queue, clock: Clock) -> None:
        super().__init__()
        self.settings, self.sessions, self.queue, self.clock = settings, sessions, queue, clock
        self.relay = Relay(settings, sessions, Mock())
        self.held: dict[int, Claim] = {}
        self.zombies: list[Claim] = []
        self.committed: Counter[uuid.UUID] = Counter()
        self.ended: tuple[int, str] | None = None

    @initialize(deadline=st.booleans())
    def submit(self, deadline: bool) -> None:
        self.job_id = self.queue(COUNT, SHARDS, lifetime=600 if deadline else None)

    def job(self) -> Job:
        with self.sessions() as session:
            return session.get_one(Job, self.job_id)

    def shards(self) -> list[Shard]:
        with self.sessions() as session:
            return list(session.scalars(sa.select(Shard).where(Shard.job_id == self.job_id)))

    @rule(worker=WORKERS)
    def claims(self, worker: int) -> None:
        if worker in self.held:
            return
        with self.sessions.begin() as session:
            found = queries.claim(session, self.job_id, f"worker{worker}", str(uuid.uuid4()), LEASE)
        if found is not None:
            assert found.shard_id not in {claim.shard_id for claim in self.held.values() if self.is_current(claim)}
            self.held[worker] = found

    def is_current(self, claim: Claim) -> bool:
        shard = next(shard for shard in self.shards() if shard.id == claim.shard_id)
        return shard.state == "running" and shard.attempt == claim.attempt

    @precondition(lambda self: self.held)
    @rule(worker=WORKERS)
    def beats(self, worker: int) -> None:
        if claim := self.held.get(worker):
            with self.sessions.begin() as session:
                standing = queries.heartbeat(session, claim, LEASE)
            if standing is Standing.HELD:
                assert self.is_current(claim)
            elif standing is Standing.CANCELED:
                assert self.job().state not in ("queued", "running")
                self.give_up(self.held.pop(worker))
            else:
                assert not self.is_current(self.held.pop(worker))

    def give_up(self, claim: Claim) -> None:
        try:
            with self.sessions.begin() as session:
                queries.give_up(session, claim)
        except ShardLost:
            assert not self.is_current(claim)

    @precondition(lambda self: self.held)
    @rule(worker=WORKERS)
    def finishes(self, worker: int) -> None:
        if claim := self.held.pop(worker, None):
            self.commit(claim)

    def commit(self, claim: Claim) -> None:
        wanted = self.is_current(claim) and self.job().state == "running"
        try:
            with self.sessions.begin() as session:
                queries.commit(session, claim, TOYS["squares"], claim, self.compute(claim), 1.0)
        except Stopped as reason:
            assert not wanted
            if not isinstance(reason, ShardLost):
                self.give_up(claim)
        else:
            assert wanted
            self.committed[claim.shard_id] += 1

    def compute(self, claim: Claim) -> dict[str, Any]:
        match claim.stage:
            case "square":
                return {"squares": [number**2 for number in claim.payload["numbers"]]}
            case "add":
                return {"sum": sum(claim.payload["squares"])}
        return {}

    @precondition(lambda self: self.held)
    @rule(worker=WORKERS, ours=st.booleans())
    def fails(self, worker: int, ours: bool) -> None:
        if claim := self.held.pop(worker, None):
            try:
                with self.sessions.begin() as session:
                    if ours:
                        queries.fail(session, claim, Invalid("no"))
                    else:
                        queries.put_back(session, claim, self.settings, ShardFailed("again"))
            except ShardLost:
                assert not self.is_current(claim)

    @precondition(lambda self: self.held)
    @rule(worker=WORKERS)
    def falls_silent(self, worker: int) -> None:
        if claim := self.held.pop(worker, None):
            self.zombies.append(claim)

    @precondition(lambda self: self.held)
    @rule(worker=WORKERS)
    def is_thought_lost(self, worker: int) -> None:
        if worker in self.held:
            self.falls_silent(worker)
            self.clock.time += LEASE
            self.relay_works()
            self.clock.time += timedelta(seconds=60)

    @precondition(lambda self: self.zombies)
    @rule()
    def comes_back_and_commits(self) -> None:
        self.commit(self.zombies.pop())

    @rule(seconds=st.sampled_from([1, 10, 40, 70, 400]))
    def time_passes(self, seconds: int) -> None:
        self.clock.time += timedelta(seconds=seconds)

    @rule()
    def relay_works(self) -> None:
        self.relay.reap()
        self.relay.evict()
        self.relay.expire()
        self.relay.settle()

    @rule()
    def client_cancels(self) -> None:
        with self.sessions.begin() as session:
            jobs.cancel(session, session.get_one(Job, self.job_id))

    @precondition(lambda self: self.job().state in ("failed", "canceled", "expired"))
    @rule()
    def client_retries(self) -> None:
        with self.sessions.begin() as session:
            jobs.retry(session, session.get_one(Job, self.job_id))

    @invariant()
    def nothing_is_committed_twice(self) -> None:
        assert set(self.committed.values()) <= {1}
        done = {shard.id for shard in self.shards() if shard.state == "done"}
        assert done == set(self.committed)

    @invariant()
    def what_is_unfinished_is_to_be_had(self) -> None:
        job, states = self.job(), {shard.state for shard in self.shards()}
        if job.state in ("queued", "running"):
            assert states <= {"queued", "running", "done"} and states != {"done"}
        elif job.state == "cancelling":
            assert "running" in states and "queued" not in states
        elif job.state == "succeeded":
            assert states == {"done"}
        else:
            assert "queued" not in states and states != {"done"}
            assert job.state != "canceled" or "running" not in states

    @invariant()
    def an_end_is_final_but_for_a_retry(self) -> None:
        job = self.job()
        if self.ended is not None and self.ended[0] == job.attempt:
            assert job.state == self.ended[1]
        self.ended = (job.attempt, job.state) if job.state in TERMINAL_STATES else None

    @invariant()
    def only_success_is_visible(self) -> None:
        job = self.job()
        with self.sessions() as session:
            shown = session.scalar(sa.select(sa.func.count()).where(Concept.name == str(self.job_id)))
        assert shown == (job.state == "succeeded")
        assert job.summary == ({"sum": sum_of_squares(COUNT)} if shown else None)

    @invariant()
    def progress_is_what_is_done(self) -> None:
        job = self.job()
        with self.sessions() as session:
            last = session.scalar(sa.select(sa.func.max(Stage.position)).where(Stage.job_id == self.job_id))
            events = list(session.scalars(sa.select(Event.sequence).where(Event.job_id == self.job_id)))
        current = [shard for shard in self.shards() if shard.stage_position == last]
        assert job.progress_done == sum(shard.weight for shard in current if shard.state == "done")
        assert job.progress_total == sum(shard.weight for shard in current)
        assert sorted(events) == list(range(1, job.version + 1))

    def teardown(self) -> None:
        if hasattr(self, "job_id"):
            self.run_to_success()

    def run_to_success(self) -> None:
        """From wherever it stands, a job that is retried and left alone succeeds."""
        for _ in range(60):
            state = self.job().state
            if state == "succeeded":
                break
            if state in TERMINAL_STATES:
                self.client_retries()
            self.clock.time += timedelta(seconds=10)
            self.relay_works()
            self.claims(0)
            self.finishes(0)
        self.only_success_is_visible()
        assert self.job().state == "succeeded"
        self.nothing_is_committed_twice()


def test_nothing_lost_and_nothing_twice(
    settings: Settings, sessions: Sessions, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for name in ("service.jobs.queries", "service.jobs.submission", "workers.runner.queries"):
        monkeypatch.setattr(f"{name}.now", clock)
    monkeypatch.setattr(relay_queries, "now", clock)
    examples = 10 if settings.database_url else 40  # SQLite is several times faster
    effort = hypothesis_settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(lambda: Runner(settings, sessions, queue, clock), settings=effort)
