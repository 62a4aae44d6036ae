"""A painting in the database, on both kinds: who may claim and end it, and when it is too late."""

import time

import pytest
from sqlalchemy.orm import Session

from service.artifacts.store import ArtifactStore
from service.catalog.queries import layers_of
from service.catalog.tables import Layer
from service.database import Sessions
from service.painting import queries
from service.painting.tables import Painting
from service.settings import Settings
from tests.service.painting.conftest import Planted, StandIn, faces


@pytest.fixture(params=["sqlite_settings", "postgres_settings"])
def settings(request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue(request.param)
    return found


def test_a_painting_past_its_deadline_is_not_claimed_and_expires(planted: Planted, sessions: Sessions) -> None:
    with sessions.begin() as session:
        late = queries.add_painting(session, planted.team, faces(session), {}, [], 0.0)
        waiting = queries.add_painting(session, planted.team, faces(session), {}, [], 60.0)
    time.sleep(0.01)
    with sessions.begin() as session:
        assert queries.claim(session, late.id, "worker") is None
        queries.expire_overdue(session)
    with sessions() as session:
        assert session.get_one(Painting, late.id).state == "expired"
        assert session.get_one(Painting, waiting.id).state == "queued"


def test_one_worker_alone_gets_a_painting(planted: Planted, sessions: Sessions) -> None:
    with sessions.begin() as session:
        waiting = queries.add_painting(session, planted.team, faces(session), {}, [], 60.0)
    with sessions.begin() as session:
        assert queries.claim(session, waiting.id, "first") is not None
    with sessions.begin() as session:
        assert queries.claim(session, waiting.id, "second") is None
        assert session.get_one(Painting, waiting.id).owner == "first"


def test_a_painting_has_ended_once_it_is_painted_or_expired(
    planted: Planted, sessions: Sessions, settings: Settings
) -> None:
    worker = StandIn(sessions, ArtifactStore(settings.artifact_dir))
    with sessions.begin() as session:
        painted, expired = (queries.add_painting(session, planted.team, faces(session), {}, [], 60.0) for _ in range(2))
    assert not queries.wait_for(sessions, painted.id, 0.02)
    with sessions.begin() as session:
        claimed = queries.claim(session, painted.id, "worker")
        assert claimed is not None
        worker.paint(session, claimed)
        queries.expire(session, painted.id)
        queries.expire(session, expired.id)
    for painting, state in ((painted, "succeeded"), (expired, "expired")):
        assert queries.wait_for(sessions, painting.id, 1.0)
        with sessions() as session:
            assert queries.get_painting(session, planted.team, painting.id).painting.state == state


def _layer(session: Session) -> Layer:
    return layers_of(session, faces(session))[0]


def test_units_of_a_concept_are_the_best_by_iou(planted: Planted, sessions: Sessions) -> None:
    with sessions() as session:
        layer = queries.find_dissection(session, _layer(session), None)
        assert layer is not None
        (tree,) = queries.find_concepts(session, planted.team, "tree", "object")
        assert queries.best_units(session, layer.id, tree.id, 3) == [0, 2, 4]
        assert queries.best_iou(session, layer.id, tree.id, [1, 3, 4]) == 0.3
        assert queries.best_iou(session, layer.id, tree.id, [1]) == 0
        assert queries.thresholds(session, layer.id, [4, 0]) == [2.5, 0.5]
