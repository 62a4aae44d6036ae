"""What is known of one image by the sha256 of its file."""

import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Model
from service.errors import NotFound
from service.results.attacks.search_queries import AttackRow, name_rows
from service.results.attacks.tables import Attack, AttackedImage
from service.results.queries import FoundUnit, find_units
from service.results.tables import TopImage, Unit

MOST_ROWS = 200
"""Attacks and units that are shown of an image."""


class TopUnit(NamedTuple):
    """A unit that peaks on an image: the image's rank among the unit's, the peak, and the name that it goes by."""

    found: FoundUnit
    rank: int
    peak: float
    image: str | None


class SeenImage(NamedTuple):
    """What attacks and the newest dissections know of an image."""

    digest: str
    predictions: Mapping[str, str]
    """What the models that were attacked take the image for, by their names."""
    attacks: Sequence[AttackRow]
    units: Sequence[TopUnit]

    @property
    def names(self) -> list[str]:
        """What the image is called in the datasets."""
        units = (unit.image for unit in self.units if unit.image is not None)
        return sorted({*units, *(attack.row.image for attack in self.attacks)})


def see_image(session: Session, team_id: uuid.UUID, digest: str) -> SeenImage:
    """What is known of an image; raise NotFound where nothing is."""
    predictions, attacks = _predictions(session, team_id, digest), _attacks_on(session, team_id, digest)
    seen = SeenImage(digest, predictions, attacks, _top_units(session, team_id, digest))
    if not seen.attacks and not seen.units:
        raise NotFound(
            f"nothing is known of an image whose file has the sha256 {digest}; attacks know the images that they "
            "tried, dissections the top images of their units"
        )
    return seen


def _predictions(session: Session, team_id: uuid.UUID, digest: str) -> dict[str, str]:
    statement = (
        sa.select(Model.name, Class.name)
        .join(Attack, Attack.model_id == Model.id)
        .join(AttackedImage, AttackedImage.attack_id == Attack.id)
        .join(Class, Class.id == AttackedImage.source_class_id)
        .where(AttackedImage.digest == digest, AttackedImage.team_id == team_id)
        .group_by(Model.name, Class.name)
        .order_by(Model.name, sa.func.max(Attack.id))
    )
    return dict(session.execute(statement).tuples().all())


def _attacks_on(session: Session, team_id: uuid.UUID, digest: str) -> list[AttackRow]:
    """The attacks on the image, newest first."""
    statement = (
        sa.select(AttackedImage)
        .where(AttackedImage.digest == digest, AttackedImage.team_id == team_id)
        .order_by(AttackedImage.attack_id.desc(), AttackedImage.position)
        .limit(MOST_ROWS)
    )
    return name_rows(session, team_id, session.scalars(statement).all())


def _top_units(session: Session, team_id: uuid.UUID, digest: str) -> list[TopUnit]:
    """The units whose top images, by the newest dissections, hold the image; those that have it highest first."""
    statement = (
        sa.select(TopImage.unit_id, TopImage.rank, TopImage.peak, Unit.top_images)
        .join(Unit, Unit.id == TopImage.unit_id)
        .where(TopImage.digest == digest, Unit.team_id == team_id, Unit.current)
        .order_by(TopImage.rank, TopImage.unit_id)
        .limit(MOST_ROWS)
    )
    rows = session.execute(statement).all()
    units = {unit.id: unit for unit in find_units(session, team_id, Unit.id.in_([row.unit_id for row in rows]))}
    names = [next((top["image"] for top in row.top_images if top["digest"] == digest), None) for row in rows]
    return [TopUnit(units[row.unit_id], row.rank, row.peak, name) for row, name in zip(rows, names, strict=True)]
