"""Run migrations on the connection that the caller gives, or on the database that the settings name."""

import sqlalchemy as sa
from alembic import context

from service.database import UtcDateTime, make_engine
from service.settings import Settings
from service.tables import Table


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Write a column's type as the database knows it, so that migrations outlive our own type."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def migrate(connection: sa.Connection) -> None:
    """Bring the database behind the connection to the wanted revision."""
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        render_as_batch=True,
        compare_server_default=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with make_engine(Settings.from_environment()).begin() as connection:
        migrate(connection)
