"""The relay's collector: a thread that removes once a day what nobody needs any more, in one relay for all."""

import logging
import threading
import time
from datetime import timedelta

from service.artifacts.collecting import collect
from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.health.queries import take_duty
from service.quotas.queries import forget_times
from service.settings import Settings
from service.webhooks.queries import forget_old

DUTY, PERIOD = "collect", timedelta(days=1)
PAUSE_SECONDS = 60.0

log = logging.getLogger(__name__)


class Collector:
    """Looks every minute whether the duty is its own."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.settings = settings
        self.sessions = sessions
        self.store = ArtifactStore(settings.artifact_dir)

    def run(self) -> None:
        """Do the duty until the process ends."""
        while True:
            time.sleep(PAUSE_SECONDS)
            try:
                self.round()
            except Exception:  # the database is away, or a file cannot be removed
                log.warning("the collector will try again", exc_info=True)

    def round(self) -> bool:
        """Remove what nobody needs any more; False where it is not the time, or another relay does it."""
        with self.sessions.begin() as session:
            mine = take_duty(session, DUTY, PERIOD)
        if mine:
            self._forget()
            self._collect()
        return mine

    def _forget(self) -> None:
        with self.sessions.begin() as session:
            forget_old(session)
            forget_times(session, self.settings.quota_period_seconds)

    def _collect(self) -> None:
        collected = collect(self.sessions, self.store, self.settings)
        log.info("removed %s", collected)
        if collected.missing:
            log.error("files of %d artifacts are not there, as of %s", len(collected.missing), collected.missing[0])


def start_collector(settings: Settings, sessions: Sessions) -> None:
    """Start a relay's collector, which ends with its process."""
    threading.Thread(target=Collector(settings, sessions).run, name="collector", daemon=True).start()
