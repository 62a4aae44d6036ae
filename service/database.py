"""The results database: engine, sessions, naming convention, column types and bulk inserts."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from uuid_utils.compat import uuid7

from service.settings import Settings

SQLITE_BUSY_SECONDS = 60.0


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC time on every database; SQLite alone would forget the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive times, turn the others to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time has no place in the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Mark what comes out as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        datetime: UtcDateTime(),
        dict[str, Any]: sa.JSON(),
        list[Any]: sa.JSON(),
        list[str]: sa.JSON(),
    }


def new_id() -> uuid.UUID:
    """A fresh UUIDv7, which sorts by time of creation."""
    return uuid7()


def make_engine(settings: Settings) -> sa.Engine:
    """Connect to the database that the settings name, creating the embedded one's directory."""
    url = sa.make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite":
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return _make_sqlite_engine(url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=30)


def _make_sqlite_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's own BEGIN below, not the driver's
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction that turns to writing fails at once when another wrote meanwhile,
        # whatever the busy timeout; one that begins as a writer waits its turn.
        reads = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


Sessions = sessionmaker[Session]


def make_sessions(engine: sa.Engine) -> Sessions:
    """A factory of sessions that write; `reading` makes one that only reads."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def reading(sessions: Sessions) -> Iterator[Session]:
    """A session that never writes, so that on SQLite it neither waits for writers nor blocks them."""
    with sessions() as session:
        session.connection(execution_options={"read_only": True})
        yield session


def now(session: Session) -> datetime:
    """The time by the database's clock, because hosts disagree about theirs."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    time: datetime = session.execute(sa.select(sa.func.clock_timestamp(type_=UtcDateTime()))).scalar_one()
    return time


def bulk_insert(session: Session, table: type[Table], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert many rows at the database's full speed: COPY on PostgreSQL, one executemany elsewhere."""
    session.flush()
    if session.get_bind().dialect.name != "postgresql":
        values = [dict(zip(names, row, strict=True)) for row in rows]
        if values:
            # on the table itself: the ORM would split the rows wherever another column is null
            session.execute(sa.insert(cast(sa.Table, table.__table__)), values)
        return
    driver = session.connection().connection.driver_connection
    assert driver is not None
    columns = ", ".join(f'"{name}"' for name in names)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.__tablename__} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
