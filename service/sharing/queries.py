"""Links: made, found, ended; and which pictures of a job or a layer belong to it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Layer, Model
from service.database import now
from service.errors import NotFound
from service.jobs.tables import Job
from service.pagination import Page, PageRequest, paginate
from service.results.attacks.tables import Attack, AttackedImage
from service.results.interventions.tables import EditedPicture, Intervention
from service.results.queries import answering
from service.results.tables import LayerDissection, Unit
from service.sharing.tables import Share


def add_share(
    session: Session,
    team_id: uuid.UUID,
    digest: str,
    kind: str,
    subject: Mapping[str, Any],
    author: str,
    expires_at: datetime,
) -> Share:
    """Write a link to a thing of the team."""
    share = Share(
        team_id=team_id,
        digest=digest,
        kind=kind,
        subject=dict(subject),
        author=author,
        created_at=now(session),
        expires_at=expires_at,
    )
    session.add(share)
    session.flush()
    return share


def find_share(session: Session, digest: str) -> Share | None:
    """The link of this token's digest if it opens anything now; None of one that is unknown, revoked or expired."""
    valid = (Share.revoked_at.is_(None), Share.expires_at > now(session))
    return session.scalar(sa.select(Share).where(Share.digest == digest, *valid))


def get_share(session: Session, team_id: uuid.UUID, share_id: uuid.UUID) -> Share:
    """The team's link; raise NotFound where it has none of this id."""
    share = session.scalar(sa.select(Share).where(Share.team_id == team_id, Share.id == share_id))
    if share is None:
        raise NotFound(f"there is no link {share_id} here; GET /v1/shares lists the team's")
    return share


def list_shares(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's links, newest first."""
    return paginate(session, sa.select(Share).where(Share.team_id == team_id), [Share.id], page, descending=True)


def revoke_share(session: Session, share: Share) -> None:
    """End a link; doing so again changes nothing."""
    if share.revoked_at is None:
        share.revoked_at = now(session)


def layer_has_picture(
    session: Session, team_id: uuid.UUID, model: str, layer: str, job_id: uuid.UUID | None, digest: str
) -> bool:
    """Whether a picture is one of a layer's units, as the job or else the newest dissection and imports saw them."""
    statement = (
        sa.select(Unit.id)
        .join(LayerDissection, LayerDissection.id == Unit.dissection_id)
        .join(Layer, Layer.id == LayerDissection.layer_id)
        .join(Model, Model.id == Layer.model_id)
        .where(Model.team_id == team_id, Model.name == model, Layer.name == layer, answering(job_id, None))
        .where(Unit.picture == digest)
    )
    return bool(session.scalar(sa.select(statement.exists())))


def job_has_picture(session: Session, job: Job, digest: str) -> bool:
    """Whether a picture is one of those in the rows that a job wrote."""
    units = sa.select(Unit.id).join(LayerDissection, LayerDissection.id == Unit.dissection_id)
    images = sa.select(AttackedImage.position).join(Attack, Attack.id == AttackedImage.attack_id)
    edited = sa.select(EditedPicture.before).join(Intervention, Intervention.id == EditedPicture.intervention_id)
    kept = (AttackedImage.original, AttackedImage.adversarial, AttackedImage.picture)
    found = (
        units.where(LayerDissection.job_id == job.id, Unit.picture == digest),
        images.where(Attack.job_id == job.id, sa.or_(*(column == digest for column in kept))),
        edited.where(
            Intervention.job_id == job.id, sa.or_(EditedPicture.before == digest, EditedPicture.after == digest)
        ),
    )
    return bool(session.scalar(sa.select(sa.or_(*(statement.exists() for statement in found)))))
