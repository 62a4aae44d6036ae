"""From the report of an intervention to the rows that a team queries."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import concept_ids, layer_ids
from service.results.interventions.queries import (
    ChangeResult,
    ContextResult,
    InterventionResult,
    MeasuredResult,
    PictureResult,
    unit_ious,
    write_intervention,
)
from service.results.interventions.tables import MASK
from workers.jobs.kind import FinishedStage, ShardContext


def merge(session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
    """Write the rows of every layer and return the job's summary."""
    report = json.loads((context.scratch / finished[-1].results[0]["report"]).read_text())
    assert context.job.model_id is not None
    record_artifacts(session, context.job.team_id, [tuple(artifact) for artifact in report["artifacts"]])
    layers = layer_ids(session, context.job.model_id)
    for layer in report["layers"]:
        write_intervention(session, context.job, _result(session, context, layer, layers[layer["layer"]]))
    summary: dict[str, Any] = report["summary"]
    return summary


def _result(session: Session, context: ShardContext, layer: Mapping[str, Any], layer_id: int) -> InterventionResult:
    params, job = context.job.params, context.job
    ids = concept_ids(session, job.team_id, [(category, name) for category, name in layer["concepts"]])
    concept_id = None if layer["target"] is None else ids[layer["target"]]
    dissection = params["dissections"][layer["layer"]]
    ious = unit_ious(session, dissection, layer_id, concept_id) if dissection and concept_id else {}
    return InterventionResult(
        layer_id=layer_id,
        concept_id=concept_id,
        action=params["action"],
        extent=params["where"] if isinstance(params["where"], str) else MASK,
        pictures=layer["pictures"],
        changes=[_change(row, ids) for row in layer["changes"]],
        units=[MeasuredResult(iou=ious.get(row["unit"]), **row) for row in layer["units"]],
        contexts=[_context(row, ids) for row in layer["contexts"]],
        edited=[PictureResult(**row) for row in layer["edited"]],
    )


def _change(row: Mapping[str, Any], ids: Sequence[int]) -> ChangeResult:
    random = row["random"] or dict.fromkeys(("change", "change_low", "change_high"))
    return ChangeResult(
        order=row["order"],
        size=row["size"],
        concept_id=ids[row["position"]],
        **{name: row[name] for name in ("pictures", "pixels_before", "pixels_after")},
        **{name: row[name] for name in ("change", "change_low", "change_high")},
        random_change=random["change"],
        random_low=random["change_low"],
        random_high=random["change_high"],
    )


def _context(row: Mapping[str, Any], ids: Sequence[int]) -> ContextResult:
    names = ("size", "samples", "pictures", "sufficient", "pixels", "change", "standard_error")
    return ContextResult(concept_id=ids[row["position"]], **{name: row[name] for name in names})
