"""What is read of an attack to export it: target by target, each in a session of its own, as `queries` explains."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import near
from service.catalog.tables import Class, Layer
from service.database import Sessions, reading
from service.errors import Invalid
from service.jobs.tables import Job
from service.results.attacks.queries import ImageResult, ShiftResult
from service.results.attacks.tables import Attack, AttackedImage, UnitShift

IMAGES_IN_BATCH = 1024

IMAGE_COLUMNS = tuple(name.removesuffix("_class_id") for name in ImageResult._fields)
"""The columns of `AttackedImage`, with the names of the classes."""
SHIFT_COLUMNS = ShiftResult._fields[1:]


class ExportedAttack(NamedTuple):
    """An attack with one target: None for any other class, `least-likely` for each image's own."""

    id: int
    target: str | None


class KeptImage(NamedTuple):
    """An attacked image with its picture, by the columns of `IMAGE_COLUMNS`."""

    attack: ExportedAttack
    figures: Mapping[str, Any]


def exported_attacks(session: Session, job: Job) -> list[ExportedAttack]:
    """The job's attacks, in the order of its targets."""
    statement = sa.select(Attack.id, Attack.figures["target"].as_string()).where(Attack.job_id == job.id)
    return [ExportedAttack(*row) for row in session.execute(statement.order_by(Attack.id))]


def watched_layers(session: Session, job: Job, name: str | None) -> dict[str, int]:
    """The ids of the layers that the attack watched, or of the one of this name; raise Invalid where it did not."""
    watched = job.params["layer"]
    if name is not None and name not in watched:
        raise Invalid(f"the job watched no layer {name!r}{near(name, watched)}", "query:layer")
    wanted = watched if name is None else [name]
    statement = sa.select(Layer.name, Layer.id).where(Layer.model_id == job.model_id, Layer.name.in_(wanted))
    ids = dict(session.execute(statement).tuples().all())
    return {layer: ids[layer] for layer in wanted}


def class_names(session: Session, job: Job) -> dict[int | None, str | None]:
    """The names of the model's classes by their ids, and that of none."""
    statement = sa.select(Class.id, Class.name).where(Class.model_id == job.model_id)
    return {None: None, **dict(session.execute(statement).tuples().all())}


def image_batches(
    sessions: Sessions, attacks: Sequence[ExportedAttack], names: Mapping[int | None, str | None]
) -> Iterator[list[tuple[Any, ...]]]:
    """Target and IMAGE_COLUMNS of every image, in order."""
    statement = sa.select(*_image_columns()).order_by(AttackedImage.position).limit(IMAGES_IN_BATCH)
    for attack in attacks:
        last = -1
        while True:
            after = statement.where(AttackedImage.attack_id == attack.id, AttackedImage.position > last)
            with reading(sessions) as session:
                rows = session.execute(after).all()
            yield [(attack.target, *_name(row, names)) for row in rows]
            if len(rows) < IMAGES_IN_BATCH:
                break
            last = rows[-1].position


def kept_images(
    sessions: Sessions, attacks: Sequence[ExportedAttack], names: Mapping[int | None, str | None], most: int
) -> Iterator[KeptImage]:
    """The first images of each attack whose pictures are kept, at most so many of each."""
    statement = sa.select(*_image_columns()).order_by(AttackedImage.position).limit(most)
    for attack in attacks:
        kept = statement.where(AttackedImage.attack_id == attack.id, AttackedImage.picture.is_not(None))
        with reading(sessions) as session:
            rows = session.execute(kept).all()
        yield from (KeptImage(attack, dict(zip(IMAGE_COLUMNS, _name(row, names), strict=True))) for row in rows)


def _image_columns() -> list[sa.orm.InstrumentedAttribute[Any]]:
    return [getattr(AttackedImage, name) for name in ImageResult._fields]


def _name(row: Sequence[Any], names: Mapping[int | None, str | None]) -> list[Any]:
    """The row's values, classes by their names."""
    fields = zip(ImageResult._fields, row, strict=True)
    return [names[value] if field.endswith("_class_id") else value for field, value in fields]


def shift_batches(
    sessions: Sessions, attacks: Sequence[ExportedAttack], layers: Mapping[str, int]
) -> Iterator[list[tuple[Any, ...]]]:
    """Layer, target and SHIFT_COLUMNS of every unit, a batch for each target and layer."""
    statement = sa.select(*(getattr(UnitShift, name) for name in SHIFT_COLUMNS)).order_by(UnitShift.unit)
    for attack in attacks:
        for layer, layer_id in layers.items():
            wanted = statement.where(UnitShift.attack_id == attack.id, UnitShift.layer_id == layer_id)
            with reading(sessions) as session:
                rows = session.execute(wanted).all()
            yield [(layer, attack.target, *row) for row in rows]
