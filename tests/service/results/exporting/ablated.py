"""An ablation as a job leaves it: rows, matrices, pictures, weights and summary, all of known numbers."""

import io
import uuid
from typing import Any

import numpy as np
from safetensors.numpy import save
from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import class_ids, layer_ids, write_model
from service.catalog.tables import Model
from service.jobs.tables import Job
from service.results.effects.queries import AblationResult, ClassResult, EffectResult, UnitResult, write_ablation
from service.results.exporting.ablations import CURVE_FIGURES, MATRICES, SETS
from tests.service.results import planted

CLASSES = ["<i>beach</i>", "grün / see", "forest"]
UNITS = [1, 3, 4, 7]
"""That were removed, of eight."""
SIZES = [1, 3]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
WEIGHTS = {
    "conv.bias": np.arange(1, 9, dtype=np.float32),
    "head.weight": np.arange(1, 49, dtype=np.float16).reshape(3, 16),
}
TENSORS = [["conv.bias", 0, 1], ["head.weight", 1, 2]]
ORDER = {name: list(np.roll(UNITS, place)) for place, name in enumerate(CLASSES)}
"""Of each class, its units, the most damaging first."""


def plant(session: Session, store: ArtifactStore, team_name: str, **pruning: Any) -> uuid.UUID:
    """A succeeded ablation of conv1; `pruning` takes the place of what the summary says of it."""
    team = planted.plant_team(session, team_name)
    model = plant_model(session, team)
    job = planted.plant_job(session, team, model, "ablation")
    job.labels = {"who": "<b>me</b>"}
    ids = class_ids(session, model.id)
    found = AblationResult(
        layer_id=layer_ids(session, model.id)["conv1"],
        units=[UnitResult(unit, unit % 3, -unit / 8, None, None) for unit in UNITS],
        classes=[class_result(place, id) for place, id in enumerate(ids)],
        effects=[effect(ids[place], name, unit) for place, name in enumerate(CLASSES) for unit in UNITS],
    )
    write_ablation(session, job, found)
    job.summary = summary(session, store, job) | ({"pruning": pruning} if pruning else {})
    return job.id


def plant_model(session: Session, team: uuid.UUID) -> Model:
    layers = [planted.Shape("conv1", units=8), planted.Shape("conv2")]
    return write_model(
        session,
        team,
        name="alpha",
        kind="classifier",
        source="torchvision:vgg16",
        weights={"seed": 1},
        input={},
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=layers,
        classes=CLASSES,
    )


def class_result(place: int, id: int) -> ClassResult:
    curves = {
        "untouched": dict.fromkeys(CURVE_FIGURES[:-1], 0.875),
        **{order: [point(size, 0.5 - place / 8) for size in SIZES] for order in ("most", "least", "all_but")},
        "random": [{"size": size, **dict.fromkeys(CURVE_FIGURES[:-1], banded(0.75))} for size in SIZES],
    }
    return ClassResult(id, 40 + place, 0.5, 0.9, 0.7, 0.8, place, curves if place else None)


def point(size: int, left: float) -> dict[str, Any]:
    figures = dict.fromkeys(CURVE_FIGURES[:-1], left + size / 64)
    return {"size": size, "change": left - 0.875, "change_low": -0.5, "change_high": None, **figures}


def banded(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.125, "high": mean + 0.125}


def effect(class_id: int, name: str, unit: int) -> EffectResult:
    """An effect whose figures are all different, as far as they are numbers."""
    rank = ORDER[name].index(unit) + 1
    numbers = {field: (place - rank) / 32 for place, field in enumerate(EffectResult._fields)}
    known = {"class_id": class_id, "unit": unit, "rank": rank, "class_rank": 1, "uncertain": rank > 2}
    return EffectResult(**numbers | known | {"coactivation": None if rank == 3 else 0.5, "recall_change_low": None})


def matrix(number: int) -> np.ndarray:
    """Changes of units x classes, of which one is unknown in the last matrix."""
    values = np.arange(len(UNITS) * len(CLASSES), dtype=np.float32).reshape(len(UNITS), len(CLASSES)) / 8 - number
    if number == len(SETS) * len(MATRICES):
        values[2, 1] = np.nan
    return values


def summary(session: Session, store: ArtifactStore, job: Job) -> dict[str, Any]:
    """What the job's last shard makes of it."""

    def put(data: bytes, media_type: str) -> str:
        digest = store.put(data)
        record_artifacts(session, job.team_id, [(digest, len(data), media_type)])
        return digest

    def put_matrix(number: int) -> str:
        buffer = io.BytesIO()
        np.save(buffer, matrix(number))
        return put(buffer.getvalue(), "application/x-npy")

    numbers = {
        of: {name: put_matrix(4 * row + column) for column, name in enumerate(MATRICES)} for row, of in enumerate(SETS)
    }
    picture = put(SVG, "image/svg+xml")
    accuracies = {"images": 60, "all_class_accuracy": 0.625, "balanced_accuracy": 0.75}
    return {
        "layer": "conv1",
        "units": UNITS,
        "classes": CLASSES,
        "mode": "zero",
        "rank_by": "balanced_accuracy",
        "cut": False,
        "reason": "it <i>chooses</i>",
        "ranking": accuracies,
        "evaluation": accuracies,
        "matrices": {**numbers, "coactivation": put_matrix(8)},
        "curves": class_result(1, 0).curves
        | {"sizes": SIZES, "random": [{"size": size, **dict.fromkeys(CURVE_FIGURES, banded(-0.25))} for size in SIZES]},
        "importance": {"counts": [1] * 4, "dissection": None, "pearson": None, "spearman": None, "by_importance": []},
        "pictures": {"curves": picture, "distribution": picture},
        "pruning": {"exact": True, "tensors": TENSORS, "weights": put(save(WEIGHTS), "application/octet-stream")},
    }
