"""A team with one of everything, and its people."""

from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.settings import Settings
from tests.service.conftest import MakeClient
from tests.service.sharing.shared import World, add_by_hand, plant


@dataclass
class Planted:
    """What a team has, somebody of the team, and strangers."""

    app: Flask
    world: World
    own: FlaskClient

    def share(self, address: str, **more: str) -> str:
        """Make a link, and return what its addresses begin with."""
        made = self.own.post("/v1/shares", json={"address": address, **more})
        assert made.status_code == 201, made.json
        page: str = made.json["links"]["page"]
        return page.rstrip("/")

    def stranger(self) -> FlaskClient:
        """Somebody without any key, from elsewhere."""
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = "192.0.2.9"
        return client


@pytest.fixture
def blue(app: Flask, sessions: Sessions, settings: Settings, client_of: MakeClient) -> Planted:
    """The team blue."""
    with sessions.begin() as session:
        world = plant(session, ArtifactStore(settings.artifact_dir), "blue")
    own = client_of("blue", "read", "write", "run", "admin", name="zebra keeper")
    add_by_hand(own, world)
    return Planted(app, world, own)
