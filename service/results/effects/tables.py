"""What units are for: ablated layers, the classes and units in them, and the effect of each unit on each class."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table
from service.results.tables import BigId


class LayerAblation(Table):
    """What one ablation job found in its layer."""

    __tablename__ = "layer_ablations"
    __table_args__ = (
        sa.Index(
            "uq_layer_ablations_current",
            "layer_id",
            unique=True,
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"), unique=True)
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"), index=True)
    current: Mapped[bool]
    """The newest of the layer; what answers a query that names no job."""


class AblatedClass(Table):
    """A class as one ablation saw it, on the evaluation images."""

    __tablename__ = "ablated_classes"
    __table_args__ = (sa.Index(None, "class_id", "ablation_id"),)

    ablation_id: Mapped[int] = mapped_column(sa.ForeignKey("layer_ablations.id"), primary_key=True)
    class_id: Mapped[int] = mapped_column(sa.ForeignKey("classes.id"), primary_key=True)
    images: Mapped[int]
    """Evaluation images of the class."""
    recall: Mapped[float]
    """As are the next three, of the untouched network."""
    true_negative_rate: Mapped[float]
    balanced_accuracy: Mapped[float]
    auroc: Mapped[float]
    """Of the margin of the class's logit over the highest other one."""
    important_units: Mapped[int]
    """Units whose removal lowers the class's balanced accuracy beyond chance (corrected p below .05)."""
    curves: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """What removing sets of units does to the class; None for a class that was not asked for."""


class AblatedUnit(Table):
    """A unit as one ablation saw it."""

    __tablename__ = "ablated_units"

    ablation_id: Mapped[int] = mapped_column(sa.ForeignKey("layer_ablations.id"), primary_key=True)
    unit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    importance: Mapped[int]
    """The number of classes that have the unit among their four most damaging."""
    accuracy_change: Mapped[float]
    """Of the all-class accuracy, the mean recall, on the evaluation images."""
    accuracy_change_low: Mapped[float | None]
    """With accuracy_change_high the 95 % bootstrap interval over images; None where a class has a single image."""
    accuracy_change_high: Mapped[float | None]


class UnitEffect(Table):
    """What removing one unit does to one class; kept for the pairs that a search may want."""

    __tablename__ = "unit_effects"
    __table_args__ = (
        sa.Index(
            "ix_unit_effects_search",
            "class_id",
            "rank",
            "unit",
            sqlite_where=sa.text("current = 1"),
            postgresql_where=sa.text("current"),
        ),
    )

    ablation_id: Mapped[int] = mapped_column(sa.ForeignKey("layer_ablations.id"), primary_key=True)
    class_id: Mapped[int] = mapped_column(sa.ForeignKey("classes.id"), primary_key=True)
    unit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    current: Mapped[bool]
    """As in layer_ablations; repeated here so that one index answers a search."""
    rank: Mapped[int]
    """1 for the unit that damages the class most, on the ranking images."""
    class_rank: Mapped[int]
    """1 for the class that the unit's removal damages most, on the ranking images."""
    ranking_change: Mapped[float]
    """Of the balanced accuracy on the ranking images."""
    ranking_log_probability_change: Mapped[float]
    """Of the mean log-probability of the class over its ranking images."""
    recall_change: Mapped[float]
    """As is all that follows, on the evaluation images: removed minus untouched."""
    recall_change_low: Mapped[float | None]
    """This and all other intervals: 95 %, paired bootstrap over images; None where the class has a single image."""
    recall_change_high: Mapped[float | None]
    true_negative_rate_change: Mapped[float]
    true_negative_rate_change_low: Mapped[float | None]
    true_negative_rate_change_high: Mapped[float | None]
    accuracy_change: Mapped[float]
    """Of the class's balanced accuracy."""
    accuracy_change_low: Mapped[float | None]
    accuracy_change_high: Mapped[float | None]
    uncertain: Mapped[bool]
    """The interval of accuracy_change holds 0, or there is none."""
    log_probability_change: Mapped[float]
    p_value: Mapped[float]
    """Of accuracy_change, exact and paired."""
    p_value_corrected: Mapped[float]
    """The same by Benjamini and Hochberg over all units and classes of the job."""
    coactivation: Mapped[float | None]
    """Correlation over images of the unit's peak with the class's probability; None where either does not vary."""
