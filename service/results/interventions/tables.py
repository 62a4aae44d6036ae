"""What changing units of a generator did to its pictures."""

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table
from service.results.tables import BigId

REMOVE, INSERT = "remove", "insert"
EVERYWHERE, MASK, EACH_CELL = "everywhere", "mask", "each-cell"
GIVEN, BY_IOU, BY_EFFECT, GREEDY = "given", "iou", "effect", "greedy"
ORDERS = (GIVEN, BY_IOU, BY_EFFECT, GREEDY)
"""As they were listed; by IoU; by what each alone takes away; each the one that takes away most beside those before."""


class Intervention(Table):
    """What a job did to one layer; the newest of a layer and a target is that of the highest id."""

    __tablename__ = "interventions"
    __table_args__ = (sa.UniqueConstraint("job_id", "layer_id"), sa.Index(None, "layer_id", "concept_id", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("jobs.id"))
    layer_id: Mapped[int] = mapped_column(sa.ForeignKey("layers.id"))
    concept_id: Mapped[int | None] = mapped_column(sa.ForeignKey("concepts.id"))
    """The target: what the units were changed for."""
    action: Mapped[str] = mapped_column(sa.String(16))
    extent: Mapped[str] = mapped_column(sa.String(16))
    """Everywhere, in a mask, or at each cell in turn."""
    pictures: Mapped[int]


class PixelChange(Table):
    """What changing a set of units did to the pixels of one concept, over all pictures, and over all cells in turn."""

    __tablename__ = "pixel_changes"
    __table_args__ = (sa.Index(None, "concept_id", "intervention_id", "position"),)

    intervention_id: Mapped[int] = mapped_column(sa.ForeignKey("interventions.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """By order and size of the set; then the target first, and the others by how many pixels changed."""
    order: Mapped[str] = mapped_column(sa.String(16))
    size: Mapped[int]
    """The set is the first so many units of the order."""
    concept_id: Mapped[int] = mapped_column(sa.ForeignKey("concepts.id"))
    pictures: Mapped[int]
    """That show the concept untouched."""
    pixels_before: Mapped[int] = mapped_column(sa.BigInteger)
    pixels_after: Mapped[int] = mapped_column(sa.BigInteger)
    change: Mapped[float | None]
    """Relative to the pixels before; as its interval, None where no untouched picture shows the concept."""
    change_low: Mapped[float | None]
    """With change_high the 99 % interval over pictures; None, too, where too few show the concept."""
    change_high: Mapped[float | None]
    random_change: Mapped[float | None]
    """The mean change by random sets of the size; as the next two, None where none were drawn."""
    random_low: Mapped[float | None]
    """With random_high the range of 90 % of the random sets."""
    random_high: Mapped[float | None]


class MeasuredUnit(Table):
    """What changing one unit alone did to the pixels of the target."""

    __tablename__ = "measured_units"

    intervention_id: Mapped[int] = mapped_column(sa.ForeignKey("interventions.id"), primary_key=True)
    unit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int]
    """From 1, among the units in the order that they were listed in, or by IoU."""
    iou: Mapped[float | None]
    """With the target, by the dissection that chose the units."""
    change: Mapped[float | None]
    """As in PixelChange, with its interval."""
    change_low: Mapped[float | None]
    change_high: Mapped[float | None]
    rank: Mapped[int | None]
    """1 for the unit that takes most away on the ranking latents; None, as the next, where none ranked."""
    ranking_change: Mapped[float | None]


class InsertionContext(Table):
    """What inserting units at a cell did to the pixels of the target, by what the untouched picture shows there."""

    __tablename__ = "insertion_contexts"

    intervention_id: Mapped[int] = mapped_column(sa.ForeignKey("interventions.id"), primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    concept_id: Mapped[int] = mapped_column(sa.ForeignKey("concepts.id"), primary_key=True)
    samples: Mapped[int] = mapped_column(sa.BigInteger)
    """Cells of pictures."""
    pictures: Mapped[int]
    sufficient: Mapped[bool]
    """Whether there are as many samples as the paper asks for."""
    pixels: Mapped[float]
    """Mean change of the target's pixels by one insertion."""
    change: Mapped[float | None]
    """The same over the mean pixels of an untouched picture; None where none shows the target."""
    standard_error: Mapped[float | None]
    """Of `pixels`, cells of one picture counted as alike; None of a single picture."""


class EditedPicture(Table):
    """A picture before and after the units were changed; of some latents alone."""

    __tablename__ = "edited_pictures"
    __table_args__ = (sa.Index(None, "digest"),)

    intervention_id: Mapped[int] = mapped_column(sa.ForeignKey("interventions.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(sa.String(64))
    """`seed 2 latent 000012`."""
    digest: Mapped[str] = mapped_column(sa.String(64))
    """That of the untouched picture: of model, seed and number of the latent."""
    order: Mapped[str] = mapped_column(sa.String(16))
    size: Mapped[int]
    row: Mapped[int | None]
    """With column the cell at which the units were changed, where each was tried: the one of the largest effect."""
    column: Mapped[int | None]
    pixels_before: Mapped[int | None]
    """Of the target, as pixels_after; None without one."""
    pixels_after: Mapped[int | None]
    before: Mapped[str] = mapped_column(sa.ForeignKey("artifacts.digest"))
    """PNG."""
    after: Mapped[str] = mapped_column(sa.ForeignKey("artifacts.digest"))
