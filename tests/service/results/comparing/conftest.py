"""A pair of small dissections."""

import uuid

import pytest

from service.database import Sessions
from tests.service.results.comparing.compared import plant_two


@pytest.fixture
def two(sessions: Sessions) -> tuple[uuid.UUID, uuid.UUID]:
    """Two dissections of one layer of the model `alpha`: see `plant_two`."""
    with sessions.begin() as session:
        return plant_two(session, "local")
