"""`python -m service artifacts`."""

import click

from service.artifacts.collecting import collect
from service.artifacts.store import ArtifactStore
from service.database import make_sessions, reading
from service.settings import Settings
from service.shell import opened, require_version


@click.group()
def artifacts() -> None:
    """Look after the files that uploads and jobs leave."""


@artifacts.command("collect")
@click.option("--dry-run", is_flag=True, help="Say what would be removed and remove nothing.")
def collect_now(dry_run: bool) -> None:
    """Remove what nothing shows any more, as the relay does once a day; fail where files are missing."""
    settings = Settings.from_environment()
    with opened(settings) as engine:
        sessions = make_sessions(engine)
        with reading(sessions) as session:
            require_version(session)
        collected = collect(sessions, ArtifactStore(settings.artifact_dir), settings, dry_run=dry_run)
    click.echo(f"{'would remove' if dry_run else 'removed'} {collected}")
    for digest in collected.missing:
        click.echo(f"missing: {digest}", err=True)
    if collected.missing:
        raise click.ClickException(f"files of {len(collected.missing)} artifacts are missing; a backup may have them")
