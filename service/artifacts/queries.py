"""Which artifacts there are, and which teams may read them."""

import uuid
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.artifacts.tables import Artifact, ArtifactOwner
from service.database import Table, now
from service.errors import NotFound


def find_artifact(session: Session, team_id: uuid.UUID, digest: str) -> Artifact | None:
    """The artifact if the team owns it, None otherwise."""
    owned = sa.select(Artifact).join(ArtifactOwner).where(ArtifactOwner.team_id == team_id, Artifact.digest == digest)
    return session.scalars(owned).one_or_none()


def get_artifact(session: Session, team_id: uuid.UUID, digest: str) -> Artifact:
    """The artifact if the team owns it; raise NotFound otherwise."""
    if (artifact := find_artifact(session, team_id, digest)) is None:
        raise NotFound(f"the team has no artifact {digest}")
    return artifact


def record_artifacts(session: Session, team_id: uuid.UUID, artifacts: Iterable[tuple[str, int, str]]) -> None:
    """Make the team an owner of stored bytes, each given as (digest, size, media type)."""
    # everybody inserts in the same order, so that two who store the same bytes never wait for each other
    known = sorted({digest: (digest, size, media_type) for digest, size, media_type in artifacts}.values())
    time = now(session)
    _insert_missing(
        session,
        Artifact,
        [{"digest": digest, "size": size, "media_type": kind, "created_at": time} for digest, size, kind in known],
    )
    _insert_missing(session, ArtifactOwner, [{"team_id": team_id, "digest": digest} for digest, _, _ in known])


def _insert_missing(session: Session, table: type[Table], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(table).on_conflict_do_nothing(), rows)
