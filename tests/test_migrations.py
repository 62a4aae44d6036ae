"""Migrations run up and down on both databases, keep rows, and match the tables."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from service.database import make_engine
from service.migrations import alembic_config, newest_revision, present_revision
from service.settings import Settings
from service.tables import Table
from tests import servers


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Connection]:
    """A connection to a database without any table."""
    name = f"unitatlas_{uuid.uuid4().hex[:12]}"
    url = servers.create_database(name) if request.param == "postgresql" else ""
    engine = make_engine(Settings(data_dir=tmp_path, database_url=url))
    with engine.begin() as connection:
        yield connection
    engine.dispose()
    if url:
        servers.drop_database(name)


def test_migrations_match_the_tables(empty: sa.Connection) -> None:
    command.upgrade(alembic_config(empty), "head")
    command.check(alembic_config(empty))
    assert present_revision(empty) == newest_revision()


def test_every_migration_goes_up_and_down_and_up_again(empty: sa.Connection) -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    for revision in reversed(revisions):
        command.upgrade(alembic_config(empty), revision)
        command.downgrade(alembic_config(empty), "-1")
        command.upgrade(alembic_config(empty), revision)
    command.downgrade(alembic_config(empty), "base")
    assert set(sa.inspect(empty).get_table_names()) <= {"alembic_version"}


def test_there_is_one_newest_migration() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_every_index_of_the_tables_is_in_the_database(empty: sa.Connection) -> None:
    command.upgrade(alembic_config(empty), "head")
    for name, table in Table.metadata.tables.items():
        there = {index["name"] for index in sa.inspect(empty).get_indexes(name)}
        assert {index.name for index in table.indexes} <= there
