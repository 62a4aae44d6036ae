"""A filled database, once of each kind."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.access.tables import LOCAL_TEAM
from service.context import Services
from service.database import Sessions
from tests.service.explorer.filled import Filled, fill
from tests.service.explorer.reading import Page

Read = Callable[..., Page]


@pytest.fixture
def filled(app: Flask, sessions: Sessions) -> Filled:
    """What the local team has."""
    made: Services = app.extensions["unitatlas"]
    with sessions.begin() as session:
        return fill(session, made.store, LOCAL_TEAM)


@pytest.fixture
def read(client: FlaskClient) -> Read:
    """Read the page at an address, which must answer so."""

    def get(address: str, status: int = 200, **query: object) -> Page:
        reply = client.get(address, query_string=query or None)
        assert reply.status_code == status, reply.text
        assert reply.mimetype == "text/html"
        return Page(reply.text)

    return get
