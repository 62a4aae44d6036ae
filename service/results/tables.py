"""What was found: dissected layers, their units and the units' labels."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table

OWN_METHOD = "dissection"
IMPORTED_METHODS = ("netdissect", "netdissect-lite", "clip-dissect")
"""Tools whose results may be imported; the names of their formats, too."""

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class LayerDissection(Table):
    """What one dissection job found in one layer."""

    __tablename__ = "layer_dissections"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "layer_id"),
        sa.Index(
            "uq_layer_dissections_current",
            "layer_id",
            "method",
            unique=True,
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"))
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"), index=True)
    method: Mapped[str] = mapped_column(sa.String(32), default=OWN_METHOD, server_default=OWN_METHOD)
    """What found the labels: a dissection of ours, or the tool whose results were imported."""
    current: Mapped[bool]
    """The newest of the layer by its method; what answers a query that names no job."""
    grid: Mapped[int | None]
    """As are `samples` and `iou_artifact`, None for imported results, which do not tell."""
    samples: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Grid cells over all images: what each threshold is a quantile of."""
    iou_artifact: Mapped[str | None] = mapped_column(sa.ForeignKey("artifacts.digest"))
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
    """Of the layer's newest dissection by our own method; team and this are repeated here for one index to search."""
    index: Mapped[int]
    threshold: Mapped[float | None]
    """As are `active` and `peak`, None for an imported unit."""
    active: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Grid cells above the threshold, over all images."""
    peak: Mapped[float | None]
    """The highest activation of the raw map over all images."""
    concept_id: Mapped[int | None] = mapped_column(sa.ForeignKey("concepts.id"))
    """The label; None for a unit that no concept fits at all."""
    iou: Mapped[float]
    """The label's IoU, 0 without a label, so that units sort by it."""
    detector: Mapped[bool]
    similarity: Mapped[float | None]
    """How alike unit and label are by a method that measures no IoU."""
    histogram: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """{"edges": [...], "with": [...], "without": [...]}: peaks in images with the label's concept and without it."""
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
    iou_low: Mapped[float | None]
    """With iou_high the 95 % bootstrap interval over images."""
    iou_high: Mapped[float | None]
    average_precision: Mapped[float | None]
    """As are the next three, of the unit's peak as a score for the concept's presence in the image."""
    auroc: Mapped[float | None]
    equal_error_threshold: Mapped[float | None]
    """The peak at which as large a share of the images with the concept is missed as of the others is taken."""
    balanced_accuracy: Mapped[float | None]
    p_value: Mapped[float | None]
    """Of the IoU, against masks shuffled among images; None unless that control was asked for."""
    p_value_corrected: Mapped[float | None]
    """The same against the best of all the layer's units and concepts."""
    dissection_id: Mapped[int] = mapped_column(BigId)
    """The unit's; without a foreign key of its own, because each one slows inserts and the unit has it already."""
    current: Mapped[bool]
    """As in layer_dissections; both are repeated here so that one index answers a search."""


class TopImage(Table):
    """One of the images on which a unit peaks, to be found by the image."""

    __tablename__ = "top_images"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    unit_id: Mapped[int] = mapped_column(sa.ForeignKey("units.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(sa.SmallInteger)
    """1 for the image of the unit's highest peak."""
    peak: Mapped[float]
