"""What the commands of `python -m service` share: sessions on the database, and whose doings they are."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.database import make_engine, make_sessions, reading
from service.errors import UnitAtlasError
from service.health.queries import is_migrated
from service.settings import Settings

COMMAND_LINE = "command line"
"""Who did it, in the audit log, when the person who runs the service did."""


@contextmanager
def opened(settings: Settings) -> Iterator[sa.Engine]:
    """The database of the settings, until the context ends."""
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@contextmanager
def reading_shell() -> Iterator[Session]:
    """A session of a command that only reads; raise ClickException where the database is not at this version."""
    with opened(Settings.from_environment()) as engine, reading(make_sessions(engine)) as session:
        require_version(session)
        yield session


@contextmanager
def writing_shell() -> Iterator[Session]:
    """A session of a command, committed when it succeeds; what it raises of ours becomes one line."""
    with opened(Settings.from_environment()) as engine:
        try:
            with make_sessions(engine).begin() as session:
                require_version(session)
                yield session
        except UnitAtlasError as error:
            raise click.ClickException(error.detail) from None


def require_version(session: Session) -> None:
    """Raise ClickException where the database is not at this version."""
    if not is_migrated(session):
        raise click.ClickException("the database is not at this version; run `python -m service migrate`")
