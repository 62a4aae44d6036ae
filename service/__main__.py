"""Run and look after the service: `python -m service serve|check|migrate|keys|openapi`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import sqlalchemy as sa
import waitress
from alembic import command
from sqlalchemy.orm import Session

from service import create_app
from service.access import queries
from service.access.guard import is_loopback
from service.access.keys import make_key
from service.access.schemas import DEFAULT_SCOPES
from service.api import SCOPES
from service.database import make_engine, make_sessions, reading
from service.errors import UnitAtlasError
from service.health.queries import is_migrated
from service.migrations import alembic_config
from service.settings import Settings

SERVER_THREADS = 32
MIGRATION_LOCK = 0x556E6974
"""Any number that only migrations of this service take."""


@click.group()
def main() -> None:
    """Run and look after Unit Atlas; settings come from UNITATLAS_* variables."""


@main.command()
def serve() -> None:
    """Serve the API by one process with threads."""
    settings = Settings.from_environment()
    _check(settings)
    waitress.serve(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        threads=SERVER_THREADS,
        max_request_body_size=max(settings.max_artifact_bytes, settings.max_body_bytes),
        ident=None,
    )


@main.command()
def check() -> None:
    """Say what speaks against serving, if anything, for whoever serves the API by another server."""
    _check(Settings.from_environment())


def _check(settings: Settings) -> None:
    with _opened(settings) as engine, reading(make_sessions(engine)) as session:
        _require_version(session)
        if not is_loopback(settings.host) and not queries.any_key(session):
            raise click.ClickException(
                f"{settings.host} is open to others and there is no key yet, so anybody could do anything; "
                "make a key with `unitatlas keys create --team NAME`"
            )


def _require_version(session: Session) -> None:
    if not is_migrated(session):
        raise click.ClickException("the database is not at this version; run `python -m service migrate`")


@main.command()
def migrate() -> None:
    """Bring the database to this version."""
    with _opened(Settings.from_environment()) as engine, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # two who migrate at once would both begin with the first revision
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        command.upgrade(alembic_config(connection), "head")


@main.group()
def keys() -> None:
    """Make, list and revoke keys."""


@keys.command("create")
@click.option("--team", required=True, help="The team that the key speaks for; made where there is none.")
@click.option("--name", default="default", show_default=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=DEFAULT_SCOPES, show_default=True)
@click.option("--expires", type=click.DateTime(), help="When it ends, in UTC.")
def create_key(team: str, name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Make a key and print it; it is shown this once."""
    key = make_key()
    with _writing() as session:
        team_id = queries.make_team(session, team).id
        queries.add_key(session, team_id, key, name, list(scopes), expires and expires.replace(tzinfo=UTC))
    click.echo(key.text)


@keys.command("list")
def list_keys() -> None:
    """List the keys of all teams."""
    with _opened(Settings.from_environment()) as engine, reading(make_sessions(engine)) as session:
        _require_version(session)
        for key, team in queries.all_keys(session):
            state = "revoked" if key.revoked_at else f"used {key.last_used_at or 'never'}"
            click.echo(f"ua_{key.prefix}  {team.name}  {key.name}  {','.join(key.scopes)}  {state}")


@keys.command("revoke")
@click.argument("prefix")
def revoke_key(prefix: str) -> None:
    """Revoke the key that begins with PREFIX."""
    with _writing() as session:
        queries.revoke_key(session, queries.get_key(session, None, prefix.removeprefix("ua_")))


@main.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    reply = create_app(Settings.from_environment()).test_client().get("/openapi.json")
    click.echo(json.dumps(reply.json, indent=2))


@contextmanager
def _opened(settings: Settings) -> Iterator[sa.Engine]:
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@contextmanager
def _writing() -> Iterator[Session]:
    with _opened(Settings.from_environment()) as engine:
        try:
            with make_sessions(engine).begin() as session:
                _require_version(session)
                yield session
        except UnitAtlasError as error:
            raise click.ClickException(error.detail) from None


if __name__ == "__main__":
    main(prog_name="python -m service")
