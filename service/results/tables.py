"""What was found: dissected layers, their units and the units' labels."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class LayerDissection(Table):
    """What one dissection job found in one layer."""

    __tablename__ = "layer_dissections"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "layer_id"),
        sa.Index(
            "uq_layer_dissections_current",
            "layer_id",
            unique=True,
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"))
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"), index=True)
    current: Mapped[bool]
    """The newest succeeded dissection of the layer; what answers a query that names no job."""
    grid: Mapped[int]
    samples: Mapped[int] = mapped_column(sa.BigInteger)
    """Grid cells over all images: what each threshold is a quantile of."""
    iou_artifact: Mapped[str] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """The dense matrix, units x concepts, float32 .npy; its columns are in the summary."""


class Unit(Table):
    """A unit as one dissection saw it."""

    __tablename__ = "units"
    __table_args__ = (
        sa.UniqueConstraint("dissection_id", "index"),
        sa.Index(None, "dissection_id", "iou", "id"),  # read backwards for the best first
        sa.Index(
            "ix_units_search",
            "team_id",
            "iou",
            "id",
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
        sa.Index(
            "ix_units_labelled",
            "concept_id",
            "iou",
            "id",
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    dissection_id: Mapped[int] = mapped_column(sa.ForeignKey("layer_dissections.id"))
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    current: Mapped[bool]
    """As in layer_dissections; team and this are repeated here so that one index answers a search."""
    index: Mapped[int]
    threshold: Mapped[float]
    active: Mapped[int] = mapped_column(sa.BigInteger)
    """Grid cells above the threshold, over all images."""
    peak: Mapped[float]
    """The highest activation of the raw map over all images."""
    concept_id: Mapped[int | None] = mapped_column(sa.ForeignKey("concepts.id"))
    """The label; None for a unit that no concept fits at all."""
    iou: Mapped[float]
    """The label's IoU, 0 without a label, so that units sort by it."""
    detector: Mapped[bool]
    top_images: Mapped[list[Any]]
    """[{"image": name, "digest": sha256, "peak": float}], highest peak first."""
    picture: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """The top images side by side, each with the unit's mask."""


class UnitLabel(Table):
    """How well a unit matches a concept; kept for the pairs that a search may want."""

    __tablename__ = "unit_labels"
    __table_args__ = (
        sa.Index(
            "ix_unit_labels_search",
            "concept_id",
            "iou",
            "unit_id",
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
        sa.Index(None, "dissection_id", "concept_id", "iou", "unit_id"),
    )

    unit_id: Mapped[int] = mapped_column(sa.ForeignKey("units.id"), primary_key=True)
    concept_id: Mapped[int] = mapped_column(sa.ForeignKey("concepts.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(sa.SmallInteger)
    """1 for the unit's best concept."""
    iou: Mapped[float]
    intersection: Mapped[int] = mapped_column(sa.BigInteger)
    union: Mapped[int] = mapped_column(sa.BigInteger)
    dissection_id: Mapped[int] = mapped_column(BigId)
    """The unit's; without a foreign key of its own, because each one slows inserts and the unit has it already."""
    current: Mapped[bool]
    """As in layer_dissections; both are repeated here so that one index answers a search."""
