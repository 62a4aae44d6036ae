"""Once a day one relay collects for all."""

import os
import threading
from datetime import timedelta

import sqlalchemy as sa

from service.artifacts.queries import record_artifacts
from service.artifacts.tables import Artifact
from service.database import Sessions, now
from service.health.tables import Duty
from service.quotas.tables import WorkerTime
from service.settings import Settings
from service.webhooks.tables import Delivery
from tests.workers.runner.conftest import team_of
from tests.workers.runner.test_relay_couriers import hook, send_test
from workers.runner.relay_collector import Collector


def test_it_removes_what_nothing_shows(settings: Settings, sessions: Sessions) -> None:
    collector, team = Collector(settings, sessions), team_of(sessions)
    digest = collector.store.put(b"nobody's")
    os.utime(collector.store.path(digest), (0, 0))
    with sessions.begin() as session:
        record_artifacts(session, team, [(digest, 8, "image/png")])
        session.execute(sa.update(Artifact).values(touched_at=now(session) - timedelta(days=8)))
    assert collector.round()
    assert not collector.store.exists(digest)
    assert not collector.round(), "it was done today"
    with sessions.begin() as session:
        session.execute(sa.update(Duty).values(due_at=now(session)))
    assert collector.round()


def test_it_forgets_what_is_too_old(settings: Settings, sessions: Sessions) -> None:
    delivery_id = send_test(sessions, hook(sessions, "https://hooks.example/"))
    team = team_of(sessions)
    with sessions.begin() as session:
        delivery = session.get_one(Delivery, delivery_id)
        delivery.state, delivery.created_at = "dead", now(session) - timedelta(days=31)
        for hours in (23, 25):
            at = now(session) - timedelta(hours=hours)
            session.add(WorkerTime(team_id=team, at=at, seconds=float(hours)))
    assert Collector(settings, sessions).round()
    with sessions() as session:
        assert session.scalars(sa.select(Delivery)).all() == []
        assert session.scalars(sa.select(WorkerTime.seconds)).all() == [23.0]


def test_of_many_relays_one_does_it(settings: Settings, sessions: Sessions) -> None:
    together, done = threading.Barrier(6), []

    def work() -> None:
        collector = Collector(settings, sessions)
        together.wait()
        done.append(collector.round())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False] * 5 + [True]
