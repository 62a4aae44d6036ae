"""Webhooks while workers and relays are killed: every end is told, and nothing that was not one."""

import random
import time
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
import standardwebhooks

from service.database import Sessions, now
from service.jobs.tables import Event
from service.settings import Settings
from service.webhooks.tables import Delivery
from tests.service.webhooks.receiver import Received, receiving
from tests.workers.runner.conftest import Queue, job_of
from tests.workers.runner.test_processes import Cluster, cluster, wait_for_end, wait_for_stage  # noqa: F401
from tests.workers.runner.test_processes import settings as hurried  # noqa: F401
from tests.workers.runner.test_relay_couriers import hook

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def settings(hurried: Settings) -> Settings:  # noqa: F811
    return replace(hurried, webhook_http=True, webhook_networks="127.0.0.0/8")


def hurry(sessions: Sessions) -> int:
    """Shorten the leases that killed couriers left, and the pauses after; return how many deliveries wait."""
    with sessions.begin() as session:
        old = Delivery.lease_until < now(session) + timedelta(seconds=85)
        session.execute(sa.update(Delivery).where(old).values(lease_until=now(session)))
        pending = Delivery.state == "pending"
        session.execute(sa.update(Delivery).where(pending, Delivery.attempts > 0).values(due_at=now(session)))
        return session.scalars(sa.select(sa.func.count()).select_from(Delivery).where(pending)).one()


def test_every_end_is_told_though_everything_is_killed(
    sessions: Sessions,
    queue: Queue,
    cluster: Cluster,  # noqa: F811
) -> None:
    cluster.environment |= {"UNITATLAS_MAX_ATTEMPTS": "20"}
    names = ["worker1", "worker2", "relay1", "relay2"]
    with receiving(200, 503, 200) as receiver:
        receiver.before = lambda: time.sleep(0.1)  # a courier may be killed while it waits for the answer
        webhook = hook(sessions, receiver.url)
        job_ids = [queue(6, 2, seconds=0.2) for _ in range(6)]
        job_ids += [queue(6, 2, misbehave="invalid") for _ in range(3)] + [queue(6, 2, lifetime=1) for _ in range(2)]
        cluster.start(*names)
        wait_for_stage(sessions, job_ids[0])
        chance = random.Random(0)
        for _ in range(6):
            time.sleep(0.7)
            name = chance.choice(names)
            cluster.kill(name)
            cluster.start(name)
        wait_for_end(sessions, *job_ids)
        endless = queue(4, 1, seconds=600)
        while hurry(sessions):
            time.sleep(0.5)
        told = {_told(message, webhook.secret) for message in receiver.messages}
    assert told == {(str(job_id), job_of(sessions, job_id).state) for job_id in job_ids}
    assert job_of(sessions, endless).state in ("queued", "running")
    with sessions() as session:
        ends = session.scalars(sa.select(Event.type).where(Event.type.in_(["succeeded", "failed", "expired"]))).all()
        deliveries = session.scalars(sa.select(Delivery)).all()
    assert len(deliveries) == len(ends) == len(job_ids), "one for each end"
    assert {delivery.state for delivery in deliveries} == {"delivered"}
    assert {message.headers["webhook-id"] for message in receiver.messages} == {str(d.id) for d in deliveries}


def _told(message: Received, secret: str) -> tuple[str, str]:
    data = standardwebhooks.Webhook(secret).verify(message.body, message.headers)["data"]
    return data["id"], data["state"]
