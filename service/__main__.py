"""Run and look after the service; `python -m service --help` lists how."""

import json
import uuid
from datetime import UTC, datetime

import click
import sqlalchemy as sa
import waitress
from alembic import command
from sqlalchemy.orm import Session

from service import create_app
from service.access import queries
from service.access.checks import check_scopes
from service.access.guard import is_loopback
from service.access.keys import make_key
from service.access.tables import ROLE_SCOPES, SCOPES, Member
from service.artifacts.commands import artifacts
from service.database import make_sessions, reading
from service.jobs.queries import restart_unfinished
from service.migrations import alembic_config
from service.quotas.commands import quotas
from service.settings import Settings
from service.shell import COMMAND_LINE, opened, reading_shell, require_version, writing_shell

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
    with opened(settings) as engine, reading(make_sessions(engine)) as session:
        require_version(session)
        if not is_loopback(settings.host) and not queries.any_key(session):
            raise click.ClickException(
                f"{settings.host} is open to others and there is no key yet, so anybody could do anything; "
                "make a key with `unitatlas keys create --team NAME`"
            )


@main.command()
def migrate() -> None:
    """Bring the database to this version."""
    with opened(Settings.from_environment()) as engine, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # two who migrate at once would both begin with the first revision
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        command.upgrade(alembic_config(connection), "head")


@main.group()
def keys() -> None:
    """Make, list and revoke keys."""


@keys.command("create")
@click.option("--team", required=True, help="The team that the key speaks for; made where there is none.")
@click.option("--member", help="Whose key it is; taken into the team where they are not in it.")
@click.option("--role", type=click.Choice([*ROLE_SCOPES]), default="member", show_default=True, help="Of a new member.")
@click.option("--name", help="What the key is for; by default the member's name or `default`.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="By default read, write and run.")
@click.option("--expires", type=click.DateTime(), help="When it ends, in UTC.")
def create_key(
    team: str, member: str | None, role: str, name: str | None, scopes: tuple[str, ...], expires: datetime | None
) -> None:
    """Make a key and print it; it is shown this once."""
    key = make_key()
    with writing_shell() as session:
        team_id = queries.make_team(session, team).id
        person = member and _find_or_add(session, team_id, member, role)
        held = check_scopes(scopes, person or None)
        until = expires and expires.replace(tzinfo=UTC)
        queries.add_key(session, team_id, key, name or member or "default", held, until, person or None)
        queries.record(session, team_id, COMMAND_LINE, "keys.create", f"/v1/keys/{key.prefix}")
    click.echo(key.text)


def _find_or_add(session: Session, team_id: uuid.UUID, name: str, role: str) -> Member:
    return queries.find_member(session, team_id, name) or queries.add_member(session, team_id, name, role)


@keys.command("list")
def list_keys() -> None:
    """List the keys of all teams."""
    with reading_shell() as session:
        for holder, team in queries.all_keys(session):
            key = holder.key
            state = "revoked" if key.revoked_at else f"used {key.last_used_at or 'never'}"
            whose = f"{holder.member.name} ({holder.member.role})  " if holder.member else ""
            click.echo(f"ua_{key.prefix}  {team.name}  {whose}{key.name}  {','.join(key.scopes)}  {state}")


@keys.command("revoke")
@click.argument("prefix")
def revoke_key(prefix: str) -> None:
    """Revoke the key that begins with PREFIX."""
    with writing_shell() as session:
        key = queries.get_key(session, None, prefix.removeprefix("ua_")).key
        queries.revoke_key(session, key)
        queries.record(session, key.team_id, COMMAND_LINE, "keys.revoke", f"/v1/keys/{key.prefix}")


@main.command("restart-jobs")
def restart_jobs() -> None:
    """Let unfinished jobs begin anew, after a restore: their scratch space is in no backup. No worker may run."""
    with writing_shell() as session:
        click.echo(f"{restart_unfinished(session)} unfinished jobs begin anew")


main.add_command(quotas)
main.add_command(artifacts)


@main.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    reply = create_app(Settings.from_environment()).test_client().get("/openapi.json")
    click.echo(json.dumps(reply.json, indent=2))


if __name__ == "__main__":
    main(prog_name="python -m service")
