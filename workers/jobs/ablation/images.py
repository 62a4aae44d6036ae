"""The images that rank the units, the images that evaluate the ranking, and the classes of both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.catalog.queries import classes_of, find_dataset
from service.catalog.tables import Dataset, Model
from service.database import reading
from service.errors import Invalid
from workers.jobs.kind import ShardContext
from workers.jobs.labelled import ImageSet, read_labelled
from workers.jobs.selection import select_images
from workers.jobs.subjects import open_images
from workers.probes.probe import Probe

RANKING, EVALUATION = "ranking", "evaluation"
SETS = (RANKING, EVALUATION)
SHOWN = 3
"""Images that a problem names."""


def open_sets(context: ShardContext) -> dict[str, ImageSet]:
    """The job's ranking and evaluation images; raise Invalid where their classes do not suit the network."""
    with reading(context.sessions) as session:
        model = session.get_one(Model, context.job.model_id)
        outputs = classes_of(session, model)
        evaluation = session.get_one(Dataset, context.job.dataset_id)
        name = context.job.params["ranking_dataset"]
        ranking = None if name is None else find_dataset(session, context.job.team_id, name)
    most = context.job.params["max_images"]
    whole = _read(open_images(context, evaluation), outputs, most, "/dataset")
    if name is None:
        return _halve(whole)
    if ranking is None:
        raise Invalid(f"dataset {name!r} is gone", "/ranking_dataset")
    return {RANKING: _read(open_images(context, ranking), outputs, most, "/ranking_dataset"), EVALUATION: whole}


def _read(probe: Probe, outputs: Sequence[str], most: int | None, pointer: str) -> ImageSet:
    return read_labelled(probe, select_images(len(probe.images), most), outputs, pointer)


def _halve(whole: ImageSet) -> dict[str, ImageSet]:
    """Let every second image of each class rank, the others evaluate; copies of an image stay together."""
    half_of: dict[str, str] = {}
    seen: Counter[int] = Counter()
    for image, position in zip(whole.images, whole.classes.tolist(), strict=True):
        if image.digest not in half_of:
            half_of[image.digest] = SETS[seen[position] % 2]
            seen[position] += 1
    halves = np.array([half_of[image.digest] for image in whole.images])
    sets = {half: _take(whole, np.flatnonzero(halves == half)) for half in SETS}
    lone = {*whole.classes.tolist()} - _classes_of_both(sets)
    if lone:
        _refuse_lone(whole, lone)
    return sets


def _take(whole: ImageSet, places: NDArray[np.int64]) -> ImageSet:
    return ImageSet(whole.probe, [whole.indices[place] for place in places], whole.classes[places])


def _refuse_lone(whole: ImageSet, lone: set[int]) -> None:
    names = {
        whole.probe.classes[image.class_index or 0]
        for image, position in zip(whole.images, whole.classes.tolist(), strict=True)
        if position in lone
    }
    shown = ", ".join(map(repr, sorted(names)[:SHOWN])) + (", ..." if len(names) > SHOWN else "")
    problem = f"{len(names)} classes have one image where two are needed, to rank on one and evaluate on the other"
    raise Invalid(f"{problem}: {shown}; name a ranking_dataset, or add images", "/ranking_dataset")


def check_apart(sets: Mapping[str, ImageSet]) -> None:
    """Raise Invalid where an image ranks and evaluates: a ranking is best on the images that it was made on."""
    ranking = {image.digest: image.name for image in sets[RANKING].images}
    shared = [(image.name, ranking[image.digest]) for image in sets[EVALUATION].images if image.digest in ranking]
    if shared:
        shown = ", ".join(f"{name!r} is {twin!r}" for name, twin in shared[:SHOWN])
        problem = f"{len(shared)} images of the dataset are in the ranking dataset as well"
        raise Invalid(f"{problem}: {shown}; the two may share none", "/ranking_dataset")


def units_of(params: Mapping[str, Any], units: int) -> list[int]:
    """The units that a job removes."""
    return list(range(units)) if params["units"] == "all" else list(params["units"])


def wanted_classes(sets: Mapping[str, ImageSet], wanted: Any) -> list[int]:
    """The classes, by their outputs, that sets of units are removed for; there are images of both sets of each."""
    shown = sorted(_classes_of_both(sets))
    if wanted == "all":
        return shown
    probe = sets[EVALUATION].probe
    names = {
        position: probe.classes[image.class_index or 0]
        for image, position in zip(sets[EVALUATION].images, sets[EVALUATION].classes.tolist(), strict=True)
    }
    return [position for position in shown if names[position] in wanted]


def _classes_of_both(sets: Mapping[str, ImageSet]) -> set[int]:
    return {*sets[RANKING].classes.tolist()} & {*sets[EVALUATION].classes.tolist()}
