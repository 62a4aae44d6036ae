"""From the report of an attack to the rows that a team queries."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import class_ids, layer_ids
from service.results.attacks.queries import AttackResult, ImageResult, ShiftResult, write_attack
from workers.jobs.kind import FinishedStage, ShardContext

AS_THEY_ARE = ("outcome", "l2", "linf", "restored_by", "transfers", "original", "adversarial", "picture")


def merge(session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
    """Write the rows of every target and return the job's summary."""
    report = json.loads((context.scratch / finished[-1].results[0]["report"]).read_text())
    job = context.job
    assert job.model_id is not None
    record_artifacts(session, job.team_id, [tuple(artifact) for artifact in report["artifacts"]])
    classes, layers = class_ids(session, job.model_id), layer_ids(session, job.model_id)
    for target in report["targets"]:
        position = target["target"]
        found = AttackResult(
            target_class_id=None if position is None else classes[position],
            figures=target["figures"],
            images=[_image(row, classes) for row in target["images"]],
            shifts=[_shift(row, layers) for row in target["shifts"]],
        )
        write_attack(session, job, found)
    summary: dict[str, Any] = report["summary"]
    return summary


def _image(row: Mapping[str, Any], classes: Sequence[int]) -> ImageResult:
    target = row["target"]
    return ImageResult(
        position=row["position"],
        image=row["image"],
        digest=row["digest"],
        true_class_id=classes[row["true"]],
        source_class_id=classes[row["source"]],
        target_class_id=None if target is None else classes[target],
        result_class_id=classes[row["result"]],
        **{name: row[name] for name in AS_THEY_ARE},
    )


def _shift(row: Mapping[str, Any], layers: Mapping[str, int]) -> ShiftResult:
    return ShiftResult(layers[row["layer"]], row["unit"], row["mean"], row["low"], row["high"], row["rank"])
