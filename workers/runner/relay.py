"""The relay: repeats lost hints, takes shards from lost workers, ends what is over. Any number of relays may run."""

import logging
import shutil
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from celery import Celery
from sqlalchemy.orm import Session

from service.broker import MAX_HINTS, count_hints, publish, tidy
from service.database import Sessions, reading
from service.jobs.tables import Shard
from service.painting.queries import expire_overdue
from service.settings import Settings
from workers.runner import relay_queries
from workers.runner.relay_collector import start_collector
from workers.runner.relay_couriers import start_couriers
from workers.runner.relay_queries import Holder

T = TypeVar("T")

log = logging.getLogger(__name__)


class Relay:
    """One round after another, each harmless to repeat and to run beside another relay's."""

    def __init__(self, settings: Settings, sessions: Sessions, celery: Celery) -> None:
        self.settings = settings
        self.sessions = sessions
        self.celery = celery

    def run(self) -> None:
        """Do rounds, and beside them send messages and collect what is left over, until the process ends."""
        start_couriers(self.settings, self.sessions)
        start_collector(self.settings, self.sessions)
        while True:
            self.round()
            time.sleep(self.settings.relay_seconds)

    def round(self) -> None:
        """Do every duty once; one that fails, as while database or broker are away, is left to the next round."""
        for duty in (self.reap, self.evict, self.expire, self.settle, self.prune, self.sweep_scratch, self.publish):
            try:
                duty()
            except Exception:
                log.warning("the relay will try again to %s", duty.__name__, exc_info=True)

    def reap(self) -> None:
        """Take shards from workers whose lease ran out."""
        for shard in self._find(relay_queries.find_lost):
            with self.sessions.begin() as session:
                holder = relay_queries.reap(session, shard, self.settings)
            self._terminate(shard, holder)

    def evict(self) -> None:
        """End the tasks that still run when the grace after their job's end is over."""
        grace = timedelta(seconds=self.settings.grace_seconds)
        for shard in self._find(lambda session: relay_queries.find_overstaying(session, grace)):
            with self.sessions.begin() as session:
                holder = relay_queries.evict(session, shard)
            self._terminate(shard, holder)

    def expire(self) -> None:
        """End jobs, and paintings that nobody waits for any more, whose deadline passed."""
        for job_id in self._find(relay_queries.find_overdue):
            with self.sessions.begin() as session:
                relay_queries.expire(session, job_id)
        with self.sessions.begin() as session:
            expire_overdue(session)

    def settle(self) -> None:
        """End cancelled jobs that no worker is at."""
        for job_id in self._find(relay_queries.find_cancelling):
            with self.sessions.begin() as session:
                relay_queries.settle(session, job_id)

    def prune(self) -> None:
        """Forget what is too old to be of use."""
        with self.sessions.begin() as session:
            relay_queries.prune(session)
        tidy(self.settings)

    def sweep_scratch(self) -> None:
        """Remove the scratch directories that no job needs any more."""
        directories = _directories_by_job(self.settings.scratch_dir)
        unneeded = self._find(lambda session: relay_queries.find_with_scratch_to_remove(session, list(directories)))
        for job_id in unneeded:
            self._remove_scratch(job_id, directories[job_id])

    def publish(self) -> None:
        """Repeat hints that were not heard, but never so many that they pile up before busy workers."""
        room = MAX_HINTS - count_hints(self.celery)
        if room > 0:
            with self.sessions.begin() as session:
                unheard = relay_queries.take_unheard(session, room)
            publish(self.celery, unheard)

    def _find(self, query: Callable[[Session], list[T]]) -> list[T]:
        with reading(self.sessions) as session:
            return query(session)

    def _terminate(self, shard: Shard, holder: Holder | None) -> None:
        if holder is None:
            return
        ids = {"job_id": shard.job_id, "shard": shard.index, "attempt": shard.attempt}
        log.info("ending task %s of worker %s", holder.task_id, holder.owner, extra={"fields": ids})
        # only at that worker, for a message that came back carries the same id elsewhere;
        # SIGKILL, because the process may hang, and because nothing it could still do counts
        self.celery.control.revoke(holder.task_id, destination=[holder.owner], terminate=True, signal="SIGKILL")

    def _remove_scratch(self, job_id: uuid.UUID, directory: Path) -> None:
        with self.sessions.begin() as session:
            if relay_queries.forget_progress(session, job_id):
                shutil.rmtree(directory, ignore_errors=True)


def _directories_by_job(root: Path) -> dict[uuid.UUID, Path]:
    return {uuid.UUID(path.name): path for path in root.glob("*-*-*-*-*")}
