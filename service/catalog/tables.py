"""What can be studied: models with their layers and classes, datasets with their concepts."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Table, new_id


class Model(Table):
    """A registered network: classifier, generator or segmenter."""

    __tablename__ = "models"
    __table_args__ = (sa.UniqueConstraint("team_id", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(sa.String(128))
    kind: Mapped[str] = mapped_column(sa.String(16))
    source: Mapped[str] = mapped_column(sa.String(256))
    weights: Mapped[dict[str, Any]]
    """As registered: {"artifact": sha256}, {"pretrained": name}, {"seed": n} or {} for what the source ships."""
    input: Mapped[dict[str, Any]]
    concepts: Mapped[list[list[str] | None] | None] = mapped_column(sa.JSON(none_as_null=True))
    """Of a segmenter: the (category, name) that each output stands for, None for one that stands for nothing."""
    digest: Mapped[str] = mapped_column(sa.String(64))
    """sha256 over source, weights and input: two models with the same digest give the same figures."""
    forward_seconds: Mapped[float]
    """Seconds an image took in the dry run at registration; what estimates start from."""
    created_at: Mapped[datetime]


class Layer(Table):
    """A named module of a model whose output is a map of units."""

    __tablename__ = "layers"
    __table_args__ = (sa.UniqueConstraint("model_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("models.id"))
    name: Mapped[str] = mapped_column(sa.String(256))
    position: Mapped[int]
    """Order of the layer in the forward pass, from 0."""
    units: Mapped[int]
    height: Mapped[int]
    width: Mapped[int]
    tail_seconds: Mapped[float | None]
    """Seconds that an image takes from this layer on; None where the network cannot be cut here, or nobody tried."""


class Class(Table):
    """One output of a classifier."""

    __tablename__ = "classes"
    __table_args__ = (sa.UniqueConstraint("model_id", "index"), sa.Index(None, "model_id", "name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("models.id"))
    index: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(256))


class Dataset(Table):
    """Images, with class labels and/or segmentations."""

    __tablename__ = "datasets"
    __table_args__ = (sa.UniqueConstraint("team_id", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(sa.String(128))
    format: Mapped[str] = mapped_column(sa.String(32))
    location: Mapped[dict[str, Any]]
    """{"path": ...}, {"artifact": sha256} or {"builtin": name}."""
    manifest: Mapped[str] = mapped_column(sa.String(64))
    """sha256 of the list of all files with their digests; the artifact of that name holds the list."""
    images: Mapped[int]
    grid: Mapped[int | None]
    """The grid that dissections of this dataset use unless told otherwise."""
    classes: Mapped[list[str]]
    created_at: Mapped[datetime]


class Concept(Table):
    """Something that a pixel can show; names are unique within a category only."""

    __tablename__ = "concepts"
    __table_args__ = (sa.UniqueConstraint("team_id", "category", "name"), sa.Index(None, "team_id", "name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("teams.id"))
    category: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(256))


class DatasetConcept(Table):
    """A concept that a dataset's masks may show, at its place in the dataset's order."""

    __tablename__ = "dataset_concepts"

    dataset_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("datasets.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    concept_id: Mapped[int] = mapped_column(sa.ForeignKey("concepts.id"), index=True)
