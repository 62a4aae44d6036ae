"""The relay's couriers: threads that send what webhooks are told. Any number may run, in any number of relays."""

import logging
import threading
import time

from service.database import Sessions, reading
from service.health.queries import DELIVERED, REFUSED, raise_tally
from service.settings import Settings
from service.webhooks import queries
from service.webhooks.queries import Sending
from service.webhooks.sending import Sender
from service.webhooks.signing import headers_of

COURIERS = 4
"""Of a relay; a webhook that answers slowly keeps one at a time."""

log = logging.getLogger(__name__)


class Courier:
    """Sends one message after another, each under a lease: what a killed courier had in hand, another sends again."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.pause = settings.relay_seconds
        self.sessions = sessions
        self.sender = Sender(settings)

    def run(self) -> None:
        """Send messages until the process ends."""
        while True:
            try:
                busy = self.deliver_next()
            except Exception:  # the database is away
                log.warning("the courier will try again", exc_info=True)
                busy = False
            if not busy:
                time.sleep(self.pause)

    def deliver_next(self) -> bool:
        """Send the message that waits longest; False where none is due."""
        with reading(self.sessions) as session:
            if not queries.any_due(session):
                return False
        with self.sessions.begin() as session:
            sending = queries.claim(session)
        if sending is None:
            return False  # another courier has it
        headers = headers_of(sending.secrets, str(sending.delivery_id), int(time.time()), sending.body)
        answer = self.sender.send(sending.url, headers, sending.body)
        with self.sessions.begin() as session:
            state = queries.settle(session, sending, *answer)
            raise_tally(session, DELIVERED if state == "delivered" else REFUSED)
        _log(sending, answer.status, state)
        return True


def _log(sending: Sending, status: int | None, state: str | None) -> None:
    ids = {"delivery_id": sending.delivery_id, "job_id": sending.job_id, "attempt": sending.attempt}
    log.info("answered", extra={"fields": {**ids, "status": status, "state": state}})


def start_couriers(settings: Settings, sessions: Sessions) -> None:
    """Start a relay's couriers, which end with its process."""
    for number in range(COURIERS):
        run = Courier(settings, sessions).run
        threading.Thread(target=run, name=f"courier-{number}", daemon=True).start()
