"""What attacks did: to each image, and to each unit of the layers that were watched."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table
from service.results.tables import BigId

OUTCOMES = ("succeeded", "failed", "already_target", "misclassified")
"""The network is fooled; it is not; it took the image for the target before; it took it for another class before."""


class Attack(Table):
    """One attack on a model with one target, part of a job; the newest with a target is that of the highest id."""

    __tablename__ = "attacks"
    __table_args__ = (sa.Index(None, "model_id", "target_class_id", "id"), sa.Index(None, "job_id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"))
    model_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("models.id"))
    target_class_id: Mapped[int | None] = mapped_column(sa.ForeignKey("classes.id"))
    """None where the images are to be anything else, or each the class that was least likely."""
    figures: Mapped[dict[str, Any]]
    """Success, distances, accuracy by budget, and by layer what moved: as the job's summary has them."""


class AttackedImage(Table):
    """What an attack did to one image."""

    __tablename__ = "attacked_images"
    __table_args__ = (
        sa.Index(None, "digest"),
        sa.Index(None, "attack_id", "source_class_id", "position"),
    )

    attack_id: Mapped[int] = mapped_column(sa.ForeignKey("attacks.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Order of the images in the attack, that of the dataset."""
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    image: Mapped[str] = mapped_column(sa.String(1024))
    digest: Mapped[str] = mapped_column(sa.String(64))
    """sha256 of the image's file."""
    true_class_id: Mapped[int] = mapped_column(sa.ForeignKey("classes.id"))
    source_class_id: Mapped[int] = mapped_column(sa.ForeignKey("classes.id"))
    """What the network took the image for before."""
    target_class_id: Mapped[int | None] = mapped_column(sa.ForeignKey("classes.id"))
    result_class_id: Mapped[int] = mapped_column(sa.ForeignKey("classes.id"))
    """What it takes the attacked image for; of one that was not changed what it was before."""
    outcome: Mapped[str] = mapped_column(sa.String(16))
    l2: Mapped[float | None]
    """Distance of the attacked image, pixels from 0 to 1, as is linf; None unless the attack succeeded."""
    linf: Mapped[float | None]
    restored_by: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """By layer the fewest of the units moved most that bring the prediction back when silenced, or null."""
    transfers: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """By model the names of the classes that it takes the image for before and after."""
    original: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """The image as the network sees it, PNG; as the next two, kept of some images alone."""
    adversarial: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """The attacked image at full precision, float32 .npy (3, H, W), pixels from 0 to 1."""
    picture: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """Image, attacked image, perturbation amplified, and masks of the units moved most before and after, PNG."""


class UnitShift(Table):
    """How an attack moved one unit, over the images on which it succeeded."""

    __tablename__ = "unit_shifts"
    __table_args__ = (sa.Index(None, "layer_id", "unit", "attack_id"),)

    attack_id: Mapped[int] = mapped_column(sa.ForeignKey("attacks.id"), primary_key=True)
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"), primary_key=True)
    unit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mean_peak_change: Mapped[float]
    """Of the unit's peak activation, attacked minus original."""
    mean_peak_change_low: Mapped[float | None]
    """With mean_peak_change_high the 99 % interval over images; None of fewer than two images."""
    mean_peak_change_high: Mapped[float | None]
    rank: Mapped[int]
    """1 for the unit moved most, up or down."""
