"""One shard from claim to commit."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from service.artifacts.store import ArtifactStore
from service.database import Sessions, reading
from service.errors import ShardFailed, UnitAtlasError
from service.logs import logged_with
from service.quotas.queries import note_time
from service.settings import Settings
from workers.jobs.kind import JobKind, JobView, ShardLost, Stopped
from workers.runner import queries
from workers.runner.heartbeat import Heartbeat
from workers.runner.queries import Claim

T = TypeVar("T")
DATABASE_PAUSE = 1.0
"""Seconds between two trials to reach a database that is away."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Process:
    """What a worker process makes once and keeps for all its shards."""

    settings: Settings
    sessions: Sessions
    store: ArtifactStore
    kinds: Mapping[str, JobKind]
    done: Counter[str] = field(default_factory=Counter)
    """How many shards it has done, by the kind of their job."""


@dataclass(frozen=True)
class RunningShard:
    """The context that a kind runs a shard in, see `workers.jobs.kind.ShardContext`."""

    job: JobView
    stage: str
    index: int
    payload: dict[str, Any]
    attempt: int
    scratch: Path
    settings: Settings
    sessions: Sessions
    store: ArtifactStore
    heartbeat: Heartbeat

    def check(self) -> None:
        """Raise ShardLost or Canceled where the shard must end."""
        self.heartbeat.check()


def run_next(process: Process, owner: str, task_id: str) -> list[uuid.UUID]:
    """Claim the most urgent shard of all, run it and settle it; return the shards that deserve a hint now."""
    claim = _claim_next(process, owner, task_id)
    if claim is None:
        return []
    opened = _execute(process, claim)
    return opened or _next_claimable(process)


def _claim_next(process: Process, owner: str, task_id: str) -> Claim | None:
    lease = timedelta(seconds=process.settings.lease_seconds)
    while True:
        with process.sessions.begin() as session:
            best = queries.find_claimable(session)
            if best is None:
                return None
            claim = queries.claim(session, best.job_id, owner, task_id, lease)
            if claim is not None:
                return claim  # else others took all of that job's shards meanwhile


def _next_claimable(process: Process) -> list[uuid.UUID]:
    with reading(process.sessions) as session:
        best = queries.find_claimable(session)
    return [best.id] if best else []


def _execute(process: Process, claim: Claim) -> list[uuid.UUID]:
    ids = {"job_id": claim.job.id, "kind": claim.job.kind, "request_id": claim.request_id}
    started = time.monotonic()
    with logged_with(**ids, stage=claim.stage, shard=claim.index, attempt=claim.attempt):
        try:
            return _try(process, claim)
        finally:
            _note_time(process, claim, time.monotonic() - started)


def _note_time(process: Process, claim: Claim, seconds: float) -> None:
    try:
        with process.sessions.begin() as session:
            note_time(session, claim.job.team_id, seconds)
    except (OperationalError, InterfaceError):
        log.warning("%.1f s that the team has used are not counted: the database is away", seconds, exc_info=True)


def _try(process: Process, claim: Claim) -> list[uuid.UUID]:
    try:
        with Heartbeat(process.sessions, claim, process.settings) as heartbeat:
            return _run(process, claim, heartbeat)
    except Stopped as reason:
        log.info("the shard stopped: %s", reason)
        _settle(process, lambda session: queries.give_up(session, claim))
    except UnitAtlasError as error:
        log.info("the shard failed: %s", error)
        failure = error
        _settle(process, lambda session: queries.fail(session, claim, failure))
    except Exception:
        log.exception("the shard failed unexpectedly")
        failure = ShardFailed(
            f"shard {claim.index} of stage {claim.stage} failed unexpectedly; the workers' log says how"
        )
        _settle(process, lambda session: queries.put_back(session, claim, process.settings, failure))
    return []


def _run(process: Process, claim: Claim, heartbeat: Heartbeat) -> list[uuid.UUID]:
    kind = process.kinds[claim.job.kind]
    started = time.monotonic()
    context = _context(process, claim, heartbeat)
    result = kind.run(context)
    seconds = time.monotonic() - started
    opened = _patiently(process, lambda session: queries.commit(session, claim, kind, context, result, seconds))
    process.done[kind.name] += 1
    log.info("the shard is done", extra={"fields": {"seconds": round(seconds, 3)}})
    return opened


def _context(process: Process, claim: Claim, heartbeat: Heartbeat) -> RunningShard:
    scratch = process.settings.scratch_dir / str(claim.job.id)
    scratch.mkdir(parents=True, exist_ok=True)
    return RunningShard(
        claim.job,
        claim.stage,
        claim.index,
        claim.payload,
        claim.attempt,
        scratch,
        process.settings,
        process.sessions,
        process.store,
        heartbeat,
    )


def _settle(process: Process, work: Callable[[Session], None]) -> None:
    try:
        _patiently(process, work)
    except ShardLost as reason:
        log.info("nothing to settle: %s", reason)


def _patiently(process: Process, work: Callable[[Session], T]) -> T:
    """Do the work in a transaction; where the database goes away, begin again for as long as a lease lasts."""
    end = time.monotonic() + process.settings.lease_seconds
    while True:
        try:
            with process.sessions.begin() as session:
                return work(session)
        except (OperationalError, InterfaceError):
            if time.monotonic() > end:
                raise
            log.warning("the database is away", exc_info=True)
            time.sleep(DATABASE_PAUSE)
