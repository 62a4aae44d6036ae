"""Which artifacts there are, and which teams may read them."""

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.artifacts.tables import Artifact, ArtifactOwner
from service.database import now
from service.errors import NotFound

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def find_artifact(session: Session, team_id: uuid.UUID, digest: str) -> Artifact | None:
    """The artifact if the team owns it, None otherwise."""
    owned = sa.select(Artifact).join(ArtifactOwner).where(ArtifactOwner.team_id == team_id, Artifact.digest == digest)
    return session.scalars(owned).one_or_none()


def get_artifact(session: Session, team_id: uuid.UUID, digest: str) -> Artifact:
    """The artifact if the team owns it; raise NotFound otherwise."""
    if (artifact := find_artifact(session, team_id, digest)) is None:
        raise NotFound(f"the team has no artifact {digest}")
    return artifact


def hold_artifact(session: Session, team_id: uuid.UUID, digest: str) -> Artifact | None:
    """The artifact if the team owns it, not to be removed before the transaction ends; None otherwise."""
    owned = sa.select(Artifact).join(ArtifactOwner).where(ArtifactOwner.team_id == team_id, Artifact.digest == digest)
    return session.scalar(owned.with_for_update(read=True, key_share=True, of=Artifact))


def record_artifacts(session: Session, team_id: uuid.UUID, artifacts: Iterable[tuple[str, int, str]]) -> None:
    """Make the team an owner of stored bytes, each given as (digest, size, media type)."""
    # everybody inserts in the same order, so that two who store the same bytes never wait for each other
    known = sorted({digest: (digest, size, media_type) for digest, size, media_type in artifacts}.values())
    if not known:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    time = now(session)
    rows = [
        {"digest": digest, "size": size, "media_type": kind, "created_at": time, "touched_at": time}
        for digest, size, kind in known
    ]
    stored = dialect.insert(Artifact)
    session.execute(stored.on_conflict_do_update(index_elements=[Artifact.digest], set_={"touched_at": time}), rows)
    owned = [{"team_id": team_id, "digest": digest} for digest, _, _ in known]
    session.execute(dialect.insert(ArtifactOwner).on_conflict_do_nothing(), owned)


def touch_named(session: Session, document: Any) -> None:
    """Note that a row of this transaction comes to name the artifacts whose digests are in a JSON document."""
    time = now(session)
    for digest in sorted(set(digests_in(json.dumps(document)))):
        session.execute(sa.update(Artifact).where(Artifact.digest == digest).values(touched_at=time))


def digests_in(text: str) -> list[str]:
    """All that could be an artifact's digest in a text."""
    return _DIGEST.findall(text)
