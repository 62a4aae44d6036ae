"""Once a day one relay collects for all."""

import os
import threading
from datetime import timedelta

import sqlalchemy as sa

from service.artifacts.queries import record_artifacts
from service.artifacts.tables import Artifact
from service.database import Sessions, now
from service.health.tables import Duty
from service.settings import Settings
from tests.workers.runner.conftest import team_of
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
