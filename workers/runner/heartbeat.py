"""Keeping a claim alive while its shard runs, and hearing when it is not wanted any more."""

import logging
import threading
from contextvars import copy_context
from datetime import timedelta
from types import TracebackType

from sqlalchemy.exc import DBAPIError

from service.database import Sessions
from service.settings import Settings
from workers.jobs.kind import Canceled, ShardLost
from workers.runner import queries
from workers.runner.queries import Claim, Standing

log = logging.getLogger(__name__)


class Heartbeat:
    """A thread that extends the claim's lease while the context lasts."""

    def __init__(self, sessions: Sessions, claim: Claim, settings: Settings) -> None:
        self._sessions = sessions
        self._claim = claim
        self._lease = timedelta(seconds=settings.lease_seconds)
        # often enough to keep the lease, and to hear of a cancellation well within the grace
        self._pause = min(settings.lease_seconds / 3, settings.grace_seconds / 10)
        self._standing = Standing.HELD
        self._over = threading.Event()
        # its log lines carry the ids that ours carry
        self._thread = threading.Thread(target=copy_context().run, args=(self._beat,), name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise ShardLost or Canceled where the last heartbeat found so."""
        if self._standing is Standing.LOST:
            raise ShardLost("the lease ran out")
        if self._standing is Standing.CANCELED:
            raise Canceled("the job was cancelled or has ended")

    def _beat(self) -> None:
        while self._standing is Standing.HELD and not self._over.wait(self._pause):
            try:
                with self._sessions.begin() as session:
                    self._standing = queries.heartbeat(session, self._claim, self._lease)
            except DBAPIError:  # whether the claim still stands, the commit will tell
                log.warning("no heartbeat for shard %s: the database is away", self._claim.shard_id, exc_info=True)
