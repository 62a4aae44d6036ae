"""Keys and callers for the tests of the service."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.access import queries
from service.access.keys import make_key
from service.database import Sessions

MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def client_of(app: Flask, sessions: Sessions) -> MakeClient:
    """Make a client that holds a fresh key of a team, from an address that is not loopback."""

    def make(team: str, *scopes: str, **more: Any) -> FlaskClient:
        key = make_key()
        with sessions.begin() as session:
            team_id = queries.make_team(session, team).id
            given = {"name": uuid.uuid4().hex, "expires_at": None, **more}
            queries.add_key(session, team_id, key, scopes=list(scopes), **given)
        client = app.test_client()
        client.environ_base |= {"HTTP_AUTHORIZATION": f"Bearer {key.text}", "REMOTE_ADDR": "192.0.2.7"}
        return client

    return make
