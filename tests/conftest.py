"""Fixtures for every test: fresh databases of both kinds, brokers of both kinds, the application and its client."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from alembic import command
from flask import Flask
from flask.testing import FlaskClient

from service.database import Sessions, make_engine, make_sessions
from service.migrations import alembic_config
from service.settings import Settings
from tests import servers


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """Address of a migrated database, emptied before each test: a new one costs half a second of the server's work."""
    name = f"unitatlas_{uuid.uuid4().hex[:12]}"
    url = servers.create_database(name)
    engine = make_engine(Settings(database_url=url))
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
    engine.dispose()
    yield url
    servers.drop_database(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that each test copies."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("template"))
    engine = make_engine(settings)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
    engine.dispose()
    return settings.data_dir / "unitatlas.sqlite3"


@pytest.fixture
def sqlite_settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Settings with a fresh SQLite database and the file-system broker."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    imports = tmp_path / "import"
    imports.mkdir()
    return Settings(data_dir=data_dir, import_dir=imports)


@pytest.fixture
def postgres_settings(sqlite_settings: Settings, postgres_database: str) -> Settings:
    """Settings with an empty PostgreSQL database and the file-system broker."""
    servers.empty_database(postgres_database)
    return replace(sqlite_settings, database_url=postgres_database)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings with a fresh database, once of each kind."""
    name = {"sqlite": "sqlite_settings", "postgresql": "postgres_settings"}[request.param]
    found: Settings = request.getfixturevalue(name)
    return found


@pytest.fixture
def redis_broker() -> Iterator[str]:
    """Address of an empty Redis database of the test's own."""
    client = redis.Redis.from_url(servers.redis_url())
    number = next(n for n in range(1, 16) if not client.exists(f"unitatlas-test-{n}") and _claim(client, n))
    url = f"{servers.redis_url()}/{number}"
    redis.Redis.from_url(url).flushdb()
    yield url
    redis.Redis.from_url(url).flushdb()
    client.delete(f"unitatlas-test-{number}")
    client.close()


def _claim(client: redis.Redis, number: int) -> bool:
    return bool(client.set(f"unitatlas-test-{number}", 1, nx=True, ex=900))


@pytest.fixture(params=["filesystem", "redis"])
def broker_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The settings with each broker in turn."""
    if request.param == "filesystem":
        return settings
    return replace(settings, broker_url=request.getfixturevalue("redis_broker"))


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    """An engine on the fresh database."""
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: sa.Engine) -> Sessions:
    """Sessions on the fresh database."""
    return make_sessions(engine)


@pytest.fixture(scope="session")
def any_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application to be given services: describing all its views for the document takes longer than most tests."""
    from service import create_app

    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("app")))
    app.testing = True
    return app


@pytest.fixture
def app(any_app: Flask, settings: Settings) -> Iterator[Flask]:
    """The application on the fresh database; a test that changes it makes its own."""
    from service import make_services

    services = make_services(settings)
    extensions, config = dict(any_app.extensions), dict(any_app.config)
    any_app.extensions["unitatlas"] = services
    yield any_app
    services.engine.dispose()
    any_app.extensions.clear()
    any_app.extensions.update(extensions)
    any_app.config.clear()
    any_app.config.update(config)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client on a loopback address, without a key."""
    return app.test_client()
